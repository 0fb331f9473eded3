import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { announceOn } from './announce.mjs';
import { exclusively } from './exclusive-work.mjs';
import { isSameProcess, processIdentity } from './process-identity.mjs';

announceOn({ write: () => true });

let dir;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-locks-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('two pieces of work under one name do not overlap', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  await Promise.all([1, 2, 3].map(() => exclusively('work', work, { dir })));
  expect(most).toBe(1);
});

test('the lock is released when the work fails', async () => {
  const failing = exclusively('work', () => Promise.reject(new Error('broken')), { dir });
  await expect(failing).rejects.toThrow('broken');
  expect(existsSync(join(dir, 'work'))).toBe(false);
});

test('the lock of a process that has died is taken over, also when its id lives on in another process', async () => {
  writeFileSync(join(dir, 'work'), JSON.stringify({ pid: process.pid, identity: 'another start' }));
  expect(await exclusively('work', async () => 'done', { dir, waitMs: 5000 })).toBe('done');
});

test('the lock of a living process is respected', async () => {
  writeFileSync(join(dir, 'work'), JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) }));
  await expect(exclusively('work', async () => 'done', { dir, waitMs: 0 })).rejects.toThrow(/busy with "work"/);
});

test('a process is recognised by id and start, and an id that nobody has is dead', () => {
  expect(isSameProcess({ pid: process.pid, identity: processIdentity(process.pid) })).toBe(true);
  expect(isSameProcess({ pid: process.pid, identity: 'another start' })).toBe(false);
  expect(isSameProcess({ pid: 2 ** 22 + 1 })).toBe(false);
});
