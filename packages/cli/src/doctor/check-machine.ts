import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { COMMAND } from '../command-name.ts';
import type { Finding } from './finding.ts';

const NEEDED_MAJOR = 24;
const ASK_WITHIN_MS = 10_000;

export function checkNode(version = process.versions.node): Promise<Finding> {
  const message = `Node ${version}`;
  if (Number.parseInt(version, 10) >= NEEDED_MAJOR) return Promise.resolve({ check: 'node', state: 'ok', message });
  return Promise.resolve({
    check: 'node',
    state: 'fail',
    message: `${message}; ${NEEDED_MAJOR} is needed`,
    advice: `use ${COMMAND}, which runs on the Node that the project brings along`,
  });
}

/** Only those who change Flotilla need pnpm on PATH; the launcher fetches its own. */
export async function checkPnpm(): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)('pnpm', ['--version'], { timeout: ASK_WITHIN_MS });
    return { check: 'pnpm', state: 'ok', message: `pnpm ${stdout.trim()}` };
  } catch {
    return {
      check: 'pnpm',
      state: 'warn',
      message: 'pnpm is not on PATH',
      advice: 'only needed to work on Flotilla itself: npx pnpm@12.21.0',
    };
  }
}
