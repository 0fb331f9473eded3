import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { rotateLog } from './rotate-log.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-rotate-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a log that is larger than its bound moves to NAME.1.log, which holds the last that moved', async () => {
  const log = join(folder, 'worker-1.log');
  for (const text of ['first'.repeat(30_000), 'second'.repeat(30_000)]) {
    await writeFile(log, text, { flag: 'a' });
    rotateLog(log, 1000);
    expect(await readFile(log, 'utf8')).toBe('');
    expect(await readFile(join(folder, 'worker-1.1.log'), 'utf8')).toBe(text);
  }
});

test('a log that is within its bound, and one that is not there, are left as they are', async () => {
  const log = join(folder, 'worker-1.log');
  await appendFile(log, 'x'.repeat(1000));
  rotateLog(log, 1000);
  rotateLog(join(folder, 'other.log'), 1000);
  expect(await readFile(log, 'utf8')).toHaveLength(1000);
  expect(await readdir(folder)).toEqual(['worker-1.log']);
});
