import { testPromise } from './promise.ts';

testPromise('F13 a worker that is cut off in one direction counts as cut off: 12 s, and back within 3 s', {
  fault: 'F13',
  rejoinBoundMs: 3000,
});
