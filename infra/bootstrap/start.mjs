/** Behind `npm start [-- --once]`: from a fresh clone to a real workflow that runs. */
import { announceOn } from './announce.mjs';
import { runFlotilla } from './run-flotilla.mjs';
import { runAndExit } from './setup-problem.mjs';

announceOn(process.stdout);
await runAndExit(() => runFlotilla(['up', '--demo', ...process.argv.slice(2)]));
