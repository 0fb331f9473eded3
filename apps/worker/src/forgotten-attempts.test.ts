import type { AttemptAddress } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ForgottenAttempts } from './forgotten-attempts.ts';

const attempt = (attemptId: string): AttemptAddress => ({
  tag: '{fl:00}:',
  runId: '00-run',
  key: '0',
  fence: 1,
  createdAt: 0,
  attemptId,
});

/** What state lists, look by look; the last stays. */
let listed: (string[] | Error)[];
let held: Set<string>;
let looks: number;
let givenBack: string[];
let warnings: string[];
let forgotten: ForgottenAttempts;
beforeEach(() => {
  listed = [[]];
  held = new Set();
  looks = 0;
  givenBack = [];
  warnings = [];
  forgotten = new ForgottenAttempts({
    listAttempts: async () => {
      const found = listed[Math.min(looks, listed.length - 1)]!;
      looks += 1;
      if (found instanceof Error) throw found;
      return found.map(attempt);
    },
    holds: (attemptId) => held.has(attemptId),
    giveBack: async ({ attemptId }) => givenBack.push(attemptId),
    logger: { warn: (_fields: object, message: string) => warnings.push(message) } as unknown as Logger,
    lineage: 'first',
    lookAgainMs: 1,
  });
});

describe('attempts that a worker knows nothing of', () => {
  test('are not looked for while Redis is the same', async () => {
    await forgotten.afterLook('first');
    expect(looks).toBe(0);
  });

  test('are given back after Redis has become another, once', async () => {
    listed = [['ended', 'running']];
    held.add('running');
    await forgotten.afterLook('second');
    expect(givenBack).toEqual(['ended']);
    await forgotten.afterLook('second');
    expect(looks).toBe(2);
    expect(warnings).toHaveLength(1);
  });

  test('are not those whose claim was being answered when they were listed', async () => {
    listed = [['claiming', 'ended'], ['ended']];
    await forgotten.afterLook('second');
    expect(givenBack).toEqual(['ended']);
    listed = [['committing'], ['claimed']];
    looks = 0;
    await forgotten.afterLook('third');
    expect(givenBack).toEqual(['ended']);
  });

  test('are looked for again when Redis could not be asked', async () => {
    listed = [new Error('away'), ['ended']];
    await forgotten.afterLook('second');
    expect(givenBack).toEqual([]);
    await forgotten.afterLook('second');
    expect(givenBack).toEqual(['ended']);
  });
});
