import { testPromise } from './promise.ts';

testPromise('F6 runs go on within 5 s of the return of a Redis that was killed, and no attempt is lost', {
  fault: 'F6',
  costsNoAttempt: true,
});
