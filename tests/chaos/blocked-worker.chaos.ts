import { testPromise } from './promise.ts';

testPromise('F4 a step that blocks its worker keeps no other step waiting for more than 12 s', {
  fault: 'F4',
  times: 2,
  // 8 s are less than a lease, of which a part has gone by when the loop is blocked.
  mayHitNothing: true,
});
