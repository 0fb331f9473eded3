import { testPromise } from './promise.ts';

testPromise('F2 a worker that is told to end loses no attempt and is replaced without a gap above 5 s', {
  fault: 'F2',
  times: 3,
  costsNoAttempt: true,
});
