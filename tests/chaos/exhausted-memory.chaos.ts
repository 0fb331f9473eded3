import { findOthersWaiting, testPromise } from './promise.ts';

testPromise('F17 the steps of a worker that runs out of memory start elsewhere within 12 s', {
  fault: 'F17',
  times: 2,
  further: { 'no other step waits more than 12 s': findOthersWaiting },
});
