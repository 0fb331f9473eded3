import { testPromise } from './promise.ts';

testPromise('F18 a Redis that takes no more connections costs no attempt, and runs go on within 5 s', {
  fault: 'F18',
  times: 2,
  costsNoAttempt: true,
});
