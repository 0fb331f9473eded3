import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** @param {number} pid */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM'; // it lives, but belongs to somebody else
  }
  return processState(pid) !== 'Z';
}

/**
 * What tells this process from another that gets the same id later: the time it was started.
 * Undefined when the process does not exist.
 * @param {number} pid
 * @returns {string | undefined}
 */
export function processIdentity(pid) {
  const fields = linuxStatFields(pid);
  if (fields !== undefined) return `tick ${fields[19]}`;
  const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', `${pid}`], { encoding: 'utf8' });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

/**
 * True while the very process that was noted down still runs.
 * @param {{ pid: number, identity?: string | undefined }} noted
 */
export function isSameProcess({ pid, identity }) {
  return isAlive(pid) && (identity === undefined || processIdentity(pid) === identity);
}

/** @param {number} pid */
function processState(pid) {
  return linuxStatFields(pid)?.[0];
}

/** Fields of /proc/PID/stat from the third (state) on; the second, the name, may itself hold spaces and brackets. */
function linuxStatFields(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // no such process, or a system without /proc
  }
}
