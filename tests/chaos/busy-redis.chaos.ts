import { testPromise } from './promise.ts';

testPromise('F9 a script that holds Redis costs no attempt, and runs go on within 5 s of its end', {
  fault: 'F9',
  times: 2,
  costsNoAttempt: true,
});
