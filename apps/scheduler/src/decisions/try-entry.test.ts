import { FlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { createLogger } from '@flotilla/telemetry';
import { describe, expect, jest, test } from '@jest/globals';
import { tryEntry } from './try-entry.ts';

const entry = { what: 'entry-group', runId: '00-run', definitionHash: 'hash' } as const;
const logger = createLogger({ name: 'try-entry-test', level: 'silent' });

function stateThatHears() {
  const failCorrupt = jest.fn(async (..._: unknown[]) => undefined);
  return { failCorrupt, state: { failCorrupt } as unknown as State<Plan> };
}

/** As the libraries say that Redis is away. */
const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe('an outbox entry', () => {
  test.each([
    [
      'a call was tried often',
      named('MaxRetriesPerRequestError', 'Reached the max retries per request limit (which is 1).'),
    ],
    ['a call was not answered', new Error('Command timed out')],
    ['the connection is closed', new Error('Connection is closed.')],
    ['Redis loads its data', named('ReplyError', 'LOADING Redis is loading the dataset in memory')],
    ['a script holds Redis', named('ReplyError', 'BUSY Redis is busy running a script.')],
    ['our own calls say so', new FlotillaError('REDIS_UNAVAILABLE', 'no answer')],
    ['Redis is full', new FlotillaError('STORAGE_FULL', 'no room')],
  ])('stays for later, and its run unharmed, when Redis does not serve: %s', async (_title, error) => {
    const { state, failCorrupt } = stateThatHears();
    const carryOut = jest.fn(() => Promise.reject(error));
    await expect(tryEntry(entry, { state, logger, carryOut })).rejects.toBe(error);
    expect(carryOut).toHaveBeenCalledTimes(1);
    expect(failCorrupt).not.toHaveBeenCalled();
  });

  test.each([
    ['DATA_CORRUPTION', new FlotillaError('INTERNAL', 'transition settle failed')],
    ['INTERNAL', new TypeError('undefined is not a function')],
  ])('that fails although Redis serves is tried again, then its run is failed: %s', async (reason, error) => {
    const { state, failCorrupt } = stateThatHears();
    const carryOut = jest.fn(() => Promise.reject(error));
    expect(await tryEntry(entry, { state, logger, carryOut })).toEqual([]);
    expect(carryOut).toHaveBeenCalledTimes(4);
    expect(failCorrupt.mock.calls).toEqual([[{ runId: entry.runId }, error.message, reason]]);
  });

  test('of a cleanup that cannot be carried out fails the cleanup', async () => {
    const { state, failCorrupt } = stateThatHears();
    const error = new FlotillaError('DATA_CORRUPTION', 'gone');
    const ofCleanup = { ...entry, what: 'step', key: '3!2' } as const;
    await tryEntry(ofCleanup, { state, logger, carryOut: () => Promise.reject(error) });
    expect(failCorrupt.mock.calls).toEqual([[{ runId: entry.runId, key: '3!2' }, 'gone', 'DATA_CORRUPTION']]);
  });
});
