import { DEFAULT_RETRY_POLICY, ERROR_TYPES } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { type AbortCause, decideEnd, type EndInputs, type FailedAttempt } from './decide-end.ts';

const policy = { ...DEFAULT_RETRY_POLICY, maxAttempts: 3, initialMs: 100, factor: 1, jitter: 'none' as const };

function failed(changes: Partial<FailedAttempt> = {}): FailedAttempt {
  const classification = { type: 'retryable' as const };
  return { happened: 'failed', classification, policy, failures: 1, elapsedMs: 0, random: 0.5, ...changes };
}

/** Inputs that note which of them were asked. */
function asked(answers: { parkMs?: number; rateLimited?: number; budgetDelayMs?: number; spread?: number }) {
  const questions: string[] = [];
  const note = <T>(name: string, answer: T): T => {
    questions.push(name);
    return answer;
  };
  const inputs: EndInputs = {
    parkMs: async () => note('parkMs', answers.parkMs),
    rateLimited: async () => note('rateLimited', answers.rateLimited ?? 0),
    budgetDelayMs: async () => note('budgetDelayMs', answers.budgetDelayMs ?? 0),
    spread: ({ delayMs }) => note('spread', answers.spread ?? delayMs),
  };
  return { inputs, questions };
}

describe('an attempt', () => {
  test('whose handler returned in time is committed, and nobody is asked', async () => {
    const { inputs, questions } = asked({ parkMs: 5 });
    expect(await decideEnd({ happened: 'returned' }, inputs)).toEqual({ end: 'commit' });
    expect(questions).toEqual([]);
  });

  test('whose call its breaker did not let through is parked', async () => {
    expect(await decideEnd({ happened: 'kept-out', forMs: 70 })).toEqual({ end: 'park', forMs: 70 });
  });

  test.each<[AbortCause, boolean, string]>([
    ['drain', false, 'drain'],
    ['drain', true, 'drain'],
    ['superseded', false, 'superseded'],
    ['cancelled', false, 'cancelled'],
    ['cancelled', true, 'abandoned'],
  ])('that %s ended is released and charged to nobody (abandoned: %s)', async (cause, isAbandoned, reason) => {
    const { inputs, questions } = asked({ parkMs: 5 });
    expect(await decideEnd(failed({ cause, isAbandoned }), inputs)).toEqual({ end: 'release', reason });
    expect(questions).toEqual([]);
  });

  test('that was lost with its process is made again in a moment, unless its step ends processes', async () => {
    expect(await decideEnd({ happened: 'lost', isPoison: false })).toEqual({ end: 'retry', inMs: 500 });
    expect(await decideEnd({ happened: 'lost', isPoison: true })).toEqual({ end: 'fail', reason: 'poison' });
  });
});

describe('a failed attempt', () => {
  test('is parked when the breaker of its dependency is open by now, and takes no place in a budget', async () => {
    const { inputs, questions } = asked({ parkMs: 40 });
    expect(await decideEnd(failed(), inputs)).toEqual({ end: 'park', forMs: 40 });
    expect(questions).toEqual(['parkMs']);
  });

  test('fails its step when the total time is over, although the breaker is told', async () => {
    const { inputs, questions } = asked({ parkMs: 40 });
    const end = await decideEnd(failed({ cause: 'total-time' }), inputs);
    expect([end, questions]).toEqual([{ end: 'fail', reason: 'time-exhausted' }, ['parkMs']]);
  });

  test.each(['attempt-time', 'heartbeat', 'stray-error'] as const)('is followed by another after %s', async (cause) => {
    expect(await decideEnd(failed({ cause }))).toEqual({ end: 'retry', inMs: 100 });
  });

  test.each(ERROR_TYPES)('takes a place in the budget only when another follows: %s', async (type) => {
    const { inputs, questions } = asked({});
    const { end } = await decideEnd(failed({ classification: { type } }), inputs);
    expect(questions.includes('budgetDelayMs')).toBe(end === 'retry');
  });

  test('does not count what a rate limit has ended', async () => {
    const end = (rateLimited: number) => decideEnd(failed({ failures: 5 }), asked({ rateLimited }).inputs);
    expect(await end(2)).toEqual({ end: 'fail', reason: 'attempts-exhausted' });
    expect(await end(3)).toEqual({ end: 'retry', inMs: 100 });
  });

  test('waits for its place in the budget, never so long that it fails for that', async () => {
    const limited = { ...policy, maxElapsedMs: 1000 };
    const wait = (budgetDelayMs: number) =>
      decideEnd(failed({ policy: limited, elapsedMs: 400 }), asked({ budgetDelayMs }).inputs);
    expect(await wait(50)).toEqual({ end: 'retry', inMs: 100 });
    expect(await wait(300)).toEqual({ end: 'retry', inMs: 300 });
    expect(await wait(5000)).toEqual({ end: 'retry', inMs: 600 });
  });

  test('is spread from the wait that policy and budget make, within what is left of its time', async () => {
    const retries: object[] = [];
    const inputs: EndInputs = {
      budgetDelayMs: async () => 250,
      spread: (retry) => {
        retries.push(retry);
        return retry.delayMs + 0.4;
      },
    };
    const limited = { ...policy, maxElapsedMs: 1000 };
    expect(await decideEnd(failed({ policy: limited, elapsedMs: 400 }), inputs)).toEqual({ end: 'retry', inMs: 250 });
    expect(retries).toEqual([{ delayMs: 250, atMostMs: 600 }]);
  });
});
