import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CliProblem } from '../cli-problem.ts';
import type { Terminal } from '../terminal.ts';
import { suiteProgram } from './program-files.ts';

/**
 * Runs a program of the project's tests, from its sources, with its output on the terminal, and gives its exit code; null
 * when a signal ended it. A signal that asks this process to end is passed on.
 * @throws CliProblem `SUITE_NOT_HERE` outside of a checkout
 */
export async function runSuite(
  terminal: Terminal,
  suite: 'load/bench.ts' | 'chaos/chaos.ts' | 'chaos/soak/soak.ts',
  args: readonly string[],
): Promise<number | null> {
  const program = suiteProgram(suite);
  if (!existsSync(program)) {
    throw new CliProblem('SUITE_NOT_HERE', `${suite} is not in this installation`, {
      hint: 'run it in a checkout of the project',
    });
  }
  const child = spawn(process.execPath, ['--conditions=@flotilla/source', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = () => child.kill('SIGTERM');
  terminal.signal.addEventListener('abort', end, { once: true });
  child.stdout.setEncoding('utf8').on('data', (text: string) => terminal.write(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => terminal.writeError(text));
  try {
    return await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
  } finally {
    terminal.signal.removeEventListener('abort', end);
  }
}
