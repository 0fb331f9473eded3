import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StartedProcess, spawnNode } from '@flotilla/testing';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { claimLogFolder } from './claim-log-folder.ts';

let folder: string;
const others: StartedProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-claim-'));
});
afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.kill9()));
  await rm(folder, { recursive: true });
});

/** Another process that has claimed a folder, and which one. */
async function otherFleet(): Promise<{ path: string; process: StartedProcess }> {
  const program = join(folder, 'other.mjs');
  const source = JSON.stringify(join(import.meta.dirname, 'claim-log-folder.ts'));
  await writeFile(
    program,
    `import { claimLogFolder } from ${source};
     console.log('claimed', claimLogFolder(process.argv[2]).path);
     setInterval(() => {}, 1000);`,
  );
  const process = await spawnNode(program, [join(folder, 'logs')]);
  others.push(process);
  const [, path = ''] = await process.waitForLine(/^claimed (.+)$/, 30_000);
  return { path, process };
}

test('fleets that run at the same time log into folders of their own', async () => {
  const logs = join(folder, 'logs');
  const [one, two] = await Promise.all([otherFleet(), otherFleet()]);
  const third = claimLogFolder(logs);
  expect([one.path, two.path].sort()).toEqual([logs, join(logs, 'fleet-2')]);
  expect(third.path).toBe(join(logs, 'fleet-3'));
  third.release();
}, 60_000);

test('a folder is free again when its fleet has ended, also by a kill', async () => {
  const logs = join(folder, 'logs');
  const { path, process } = await otherFleet();
  expect(path).toBe(logs);
  await process.kill9();
  const next = claimLogFolder(logs);
  expect(next.path).toBe(logs);
  next.release();
  next.release();
  expect(await readdir(logs)).toEqual([]);
}, 60_000);

test('a claim without a process id holds nothing', async () => {
  const first = claimLogFolder(folder);
  await writeFile(join(folder, 'fleet.pid'), 'nonsense');
  const second = claimLogFolder(folder);
  expect([first.path, second.path]).toEqual([folder, folder]);
  second.release();
  expect(existsSync(join(folder, 'fleet.pid'))).toBe(false);
});
