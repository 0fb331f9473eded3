import { testPromise } from './promise.ts';

testPromise('F22 every key of BullMQ can be deleted: runs go on within 10 s, and no attempt is lost', {
  fault: 'F22',
  times: 2,
  costsNoAttempt: true,
});
