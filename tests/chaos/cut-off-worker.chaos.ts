import { testPromise } from './promise.ts';

testPromise('F12 the steps of a worker that is cut off start elsewhere within 12 s, and it is back within 3 s', {
  fault: 'F12',
  rejoinBoundMs: 3000,
});
