import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { announce } from './announce.mjs';
import { isSameProcess, processIdentity } from './process-identity.mjs';
import { ownDir } from './project-paths.mjs';
import { SetupProblem } from './setup-problem.mjs';

const pollMs = 100;

/**
 * Does a piece of set-up while no other flotilla command of this project does the same. A lock whose owner has died
 * is taken over.
 * @template T
 * @param {string} name also the name of the lock file
 * @param {() => Promise<T>} work must look again whether there is still something to do
 * @param {{ dir?: string, waitMs?: number }} [options] waitMs default 10 minutes
 * @returns {Promise<T>}
 */
export async function exclusively(name, work, { dir = join(ownDir, 'locks'), waitMs = 600_000 } = {}) {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, name);
  const deadline = performance.now() + waitMs;
  let saidSo = false;
  while (!tryLock(file)) {
    const owner = readOwner(file);
    if (owner !== undefined && !isSameProcess(owner)) {
      removeLockOf(owner, file);
      continue;
    }
    if (performance.now() > deadline) {
      throw new SetupProblem([
        `another flotilla command (process ${owner?.pid ?? 'unknown'}) has been busy with "${name}" for too long.`,
        `End it, or remove ${file} when it is gone.`,
      ]);
    }
    if (!saidSo && owner !== undefined) {
      announce(`waiting for process ${owner.pid}, which is busy with "${name}"`);
      saidSo = true;
    }
    await delay(pollMs);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file) {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) }), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a dead owner, but not one that somebody else has taken in the same moment. */
function removeLockOf(owner, file) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const moved = readOwner(aside);
  if (moved !== undefined && (moved.pid !== owner.pid || moved.identity !== owner.identity)) renameSync(aside, file);
  else rmSync(aside, { force: true });
}

/** Undefined while the file is just being written, or was just removed. */
function readOwner(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
