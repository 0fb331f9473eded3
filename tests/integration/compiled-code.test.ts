import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, type FleetMember, sharedRedis, startProgram, testNamespace } from '@flotilla/testing';
import { expect, test } from '@jest/globals';

/** The programs have more modules than this, and so has the smaller part of them. */
const SOME_MODULES = 100;

test.each<FleetMember['kind']>(['scheduler', 'worker'])(
  'a %s that is killed leaves its compiled code to the next one',
  async (kind) => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
    const program = await startProgram(kind, {
      REDIS_URL: sharedRedis().url,
      FLOTILLA_NAMESPACE: testNamespace(import.meta.url),
      NODE_COMPILE_CACHE: folder,
    });
    try {
      await program.waitForLine(/"msg":"ready"/, 60_000);
      const isKept = async () => (await readdir(folder, { recursive: true })).length > SOME_MODULES;
      await eventually(isKept, { timeoutMs: 10_000, message: 'its compiled code to be kept while it runs' });
    } finally {
      expect(await program.kill9()).toMatchObject({ signal: 'SIGKILL' });
      await rm(folder, { recursive: true });
    }
  },
  90_000,
);
