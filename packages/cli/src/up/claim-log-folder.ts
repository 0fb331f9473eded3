import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliProblem } from '../cli-problem.ts';
import { EXIT } from '../exit-codes.ts';

export interface LogFolder {
  path: string;
  /** Another fleet may use it. Safe to call twice. */
  release(): void;
}

/** Holds the process id of the `up` whose fleet logs into the folder. */
const CLAIM_FILE = 'fleet.pid';
const MAX_FLEETS = 100;

/**
 * A folder for the logs of one fleet: `folder`, or `fleet-2`, `fleet-3` … in it while other fleets log there, so that no fleet moves
 * away what another one is writing. What an `up` that was killed has claimed is free.
 * @throws CliProblem `TOO_MANY_FLEETS`
 */
export function claimLogFolder(folder: string): LogFolder {
  for (let number = 1; number <= MAX_FLEETS; number += 1) {
    const path = number === 1 ? folder : join(folder, `fleet-${number}`);
    mkdirSync(path, { recursive: true });
    const claim = join(path, CLAIM_FILE);
    if (takeClaim(claim)) return { path, release: () => dropClaim(claim) };
  }
  throw new CliProblem('TOO_MANY_FLEETS', `${MAX_FLEETS} fleets log into ${folder} already`, {
    exitCode: EXIT.failed,
    hint: 'set FLOTILLA_LOGS to another folder',
  });
}

function takeClaim(claim: string): boolean {
  const own = `${claim}.${process.pid}`;
  // Linked when it is whole: nobody reads a claim without its process id.
  writeFileSync(own, String(process.pid));
  try {
    return linked(own, claim) || (removeIfDead(claim, `${own}.dead`) && linked(own, claim));
  } finally {
    rmSync(own, { force: true });
  }
}

/** False when somebody else has claimed it. */
function linked(own: string, claim: string): boolean {
  try {
    linkSync(own, claim);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function removeIfDead(claim: string, aside: string): boolean {
  if (isHeld(claim)) return false;
  try {
    renameSync(claim, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  // Another `up` may have replaced the dead claim since we read it: it gets its own back.
  const isOthers = isHeld(aside);
  if (isOthers) linked(aside, claim);
  rmSync(aside, { force: true });
  return !isOthers;
}

/** Whether another process that lives holds this claim. A process id of ours is left from before a container restarted. */
function isHeld(claim: string): boolean {
  const pid = readPid(claim);
  return pid !== undefined && pid !== process.pid && lives(pid);
}

function dropClaim(claim: string): void {
  if (readPid(claim) === process.pid) rmSync(claim, { force: true });
}

function readPid(claim: string): number | undefined {
  try {
    const text = readFileSync(claim, 'utf8');
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
