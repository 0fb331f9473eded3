import { testPromise } from './promise.ts';

testPromise('F5 runs go on within 5 s when one scheduler is killed, and within 5 s of the return when all are', {
  fault: 'F5',
  times: 2,
});
