import { testPromise } from './driver/promise.ts';

testPromise('F4 a step that blocks its worker keeps no other step waiting for more than 12 s', {
  fault: 'F4',
  times: 2,
});
