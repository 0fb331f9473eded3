import { spawn } from 'node:child_process';
import type { Terminal } from '../terminal.ts';
import { ownConditions } from './program-files.ts';

/**
 * Runs a module in a Node process of its own, with its output on the terminal, and gives its exit code; null when a signal
 * ended it. A signal that asks this process to end is passed on.
 */
export async function runProgram(terminal: Terminal, module: string, args: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [...ownConditions(), module, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
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
