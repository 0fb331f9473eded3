/**
 * Makes a number of runs of a handler a second, each of which keeps so many bytes for ever. Arguments: bytes a run, runs a
 * second. For the test of the canary: the same leak, without a fleet around it.
 */
import { leak } from '../../handlers/leak.ts';

const [bytes = 0, runsPerSecond = 0] = process.argv.slice(2).map(Number);
const EVERY_MS = 20;
const startedAt = performance.now();
let made = 0;

// A busy machine makes timers late, not runs fewer.
setInterval(() => {
  const due = ((performance.now() - startedAt) / 1000) * runsPerSecond;
  for (; made < due; made += 1) {
    leak(bytes);
    JSON.parse(JSON.stringify({ run: made, steps: Array.from({ length: 20 }, (_, index) => ({ index })) }));
  }
}, EVERY_MS);
