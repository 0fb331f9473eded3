import { testPromise } from './promise.ts';

testPromise('F8 a Redis that stands still for up to 14 s costs no attempt, and runs go on within 5 s', {
  fault: 'F8',
  costsNoAttempt: true,
});
