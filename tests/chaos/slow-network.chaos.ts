import { testPromise } from './promise.ts';

testPromise('F14 latency and connections that break cost no attempt', {
  fault: 'F14',
  costsNoAttempt: true,
  mayHitNothing: true,
});
