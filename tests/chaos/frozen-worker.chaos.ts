import { testPromise } from './promise.ts';

testPromise(
  'F3 the steps of a worker that stands still for too long start elsewhere within 12 s, and its late results are refused',
  { fault: 'F3', rejoinBoundMs: 10_000 },
);
