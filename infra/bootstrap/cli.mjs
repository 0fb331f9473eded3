/** Behind ./flotilla: stdout belongs to the command, so everything said here goes to stderr. */
import { runFlotilla } from './run-flotilla.mjs';
import { runAndExit } from './setup-problem.mjs';

await runAndExit(() => runFlotilla(process.argv.slice(2)));
