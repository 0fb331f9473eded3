/** For tests: the launcher's part. Runs a program that ends together with it. */
import { runUnderNode } from './run-command.mjs';

await runUnderNode(process.execPath, process.argv.slice(2), { endsWithUs: true });
