/**
 * Switches one safeguard off, or changes a limit, in the process that loads this file (`node --import`), by changing the Lua transitions as
 * they are read. What it does is named by FLOTILLA_MUTATION; the product has no hook for it. Tests use it to show that
 * the checks find what the safeguard prevents. A mutation that finds nothing to change ends the process.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Change = [file: string, from: string | RegExp, to: string | ((found: string) => string)];

const MUTATIONS: Record<string, Change[]> = {
  /** Any result is accepted for whatever attempt is running. */
  'no-fence': [
    ['attempts.lua', 'return isLastAttempt(header, fence, attemptId) and', 'return header and'],
    ['commit.lua', 'if heldFence ~= fence or heldAttempt ~= attemptId then', 'if not heldFence then'],
  ],
  /** No worker ever counts as dead. */
  'no-lease': [['timers.lua', 'if leaseEnds[worker] > now then', 'if true then']],
  /** Every worker counts as dead as soon as its attempts are looked at. */
  'lease-ignored': [['timers.lua', 'if leaseEnds[worker] > now then', 'if false then']],
  /** Nobody looks for attempts of dead workers, nor for steps whose hint was lost. */
  'no-reconciler': [
    ['timers.lua', /T\['reclaim'\] = function\(tag, a\)\n/, (line) => `${line}  do return { 0, 0, 0 } end\n`],
    ['timers.lua', /T\['recheck'\] = function\(tag, a\)\n/, (line) => `${line}  do return { 'waiting' } end\n`],
  ],
};

const name = process.env['FLOTILLA_MUTATION'] ?? '';
const changes = MUTATIONS[name];
if (changes === undefined) throw new Error(`there is no mutation ${name}`);

const read = fs.readFileSync as (path: unknown, ...rest: unknown[]) => unknown;
const readMutated = (path: unknown, ...rest: unknown[]) => {
  const content = read(path, ...rest);
  const file = String(path);
  if (typeof content !== 'string' || !file.endsWith('.lua')) return content;
  let text = content;
  for (const [suffix, from, to] of changes) {
    if (!file.endsWith(suffix)) continue;
    // What a pattern finds may stand in what replaces it.
    const changed = typeof to === 'string' ? text.replace(from, () => to) : text.replace(from, to);
    if (changed === text) throw new Error(`mutation ${name} finds nothing to change in ${file}`);
    text = changed;
  }
  return text;
};
fs.readFileSync = readMutated as typeof fs.readFileSync;
syncBuiltinESMExports();
