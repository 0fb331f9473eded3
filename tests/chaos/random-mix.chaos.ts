import { testMix } from './promise.ts';

testMix(
  'F27 with workers killed, frozen, cut off and given wrong clocks, and Redis killed, at random: runs go on within 30 s',
  'F27',
);
