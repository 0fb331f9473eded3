import { DEFAULT_FLAGS, type Json } from '@flotilla/contracts';
import { createLogger } from '@flotilla/telemetry';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExecutorOptions } from './executor-options.ts';
import type { BreakerGate } from './guarded-call.ts';
import { createExecutorWorld, type ExecutorWorld } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

const PARK_MS = 60_000;

/** A breaker that a test opens and closes. */
class Gate implements BreakerGate {
  isOpen = false;
  /** What it was told of calls. */
  readonly told: string[] = [];

  admit() {
    if (this.isOpen) return { parkMs: PARK_MS };
    const settle = (outcome: string): Promise<undefined> => {
      this.told.push(outcome);
      return Promise.resolve(undefined);
    };
    return { pass: { settle } };
  }
  parkMsIfOpen(): number | undefined {
    return this.isOpen ? PARK_MS : undefined;
  }
  parkMsOfFailure(): Promise<number | undefined> {
    return Promise.resolve(this.parkMsIfOpen());
  }
  noteFirstTry(): void {}
  spendRetry(): Promise<number> {
    return Promise.resolve(0);
  }
}

const failed = () => Object.assign(new Error('card 4000 0000'), { code: 'ECONNRESET' });

/** A run is cancelled after its step has succeeded; `undo` is what its compensation does. */
async function cancelled(undo: () => Json, options: Partial<ExecutorOptions> = {}) {
  const gate = new Gate();
  const retry = { maxAttempts: 2, initialMs: 60_000, jitter: 'none' } as const;
  const { runId, step } = await world.start({
    a: { kind: 'task', use: 'work', compensate: 'work', breaker: 'payments', retry },
    b: { kind: 'delay', forMs: 600_000, needs: ['a'] },
  });
  let run = (): Json => null;
  const executor = world.createExecutor(() => run(), { breakers: gate, ...options });
  await executor.runTask({ v: 1, i: [step('a')] });
  await world.state.cancelRun(runId);
  run = undo;
  gate.told.length = 0;
  const [, definitionHash, key] = step('a');
  return {
    gate,
    make: () => executor.runTask({ v: 1, i: [[runId, definitionHash, `${key}!0`]] }),
    view: async () => (await world.state.listCleanups(runId, { limit: 1 })).cleanups[0]!,
    told: async () => (await world.eventsOf(runId)).filter((type) => type.startsWith('cleanup-')),
  };
}

describe('a compensation whose step has a breaker', () => {
  test('is parked uncharged while it is open, without a call, and made when it has closed', async () => {
    let calls = 0;
    const { gate, make, view, told } = await cancelled(() => ++calls);
    gate.isOpen = true;
    await make();
    expect(await view()).toMatchObject({ status: 'parked', reason: 'breaker:payments', attempts: 0 });
    gate.isOpen = false;
    await make();
    expect(await view()).toMatchObject({ status: 'succeeded' });
    expect([calls, gate.told]).toEqual([1, ['success']]);
    expect(await told()).toEqual([
      ...['cleanup-started', 'cleanup-released', 'cleanup-parked', 'cleanup-started', 'cleanup-succeeded'],
    ]);
  });

  test('is not charged for a call that fails while it opens', async () => {
    const { gate, make, view } = await cancelled(() => {
      gate.isOpen = true;
      throw failed();
    });
    await make();
    expect(await view()).toMatchObject({ status: 'parked', attempts: 0 });
    expect(gate.told).toEqual(['failure']);
  });

  test('is charged for a call that fails while it is closed', async () => {
    const { gate, make, view } = await cancelled(() => {
      throw failed();
    });
    await make();
    expect(await view()).toMatchObject({ status: 'backing-off', attempts: 1 });
    expect(gate.told).toEqual(['failure']);
  });

  test('is tried again, and its breaker told, when its handler aborts a call of its own', async () => {
    const { gate, make, view } = await cancelled(() => {
      throw new Error('no answer', { cause: AbortSignal.abort().reason });
    });
    await make();
    expect(await view()).toMatchObject({ status: 'backing-off', attempts: 1, error: { type: 'timeout' } });
    expect(gate.told).toEqual(['failure']);
  });

  test('is made whatever its breaker says for a run that breakers are switched off for', async () => {
    const { gate, make, view } = await cancelled(() => null, { flags: { ...DEFAULT_FLAGS, breakers: 0 } });
    gate.isOpen = true;
    await make();
    expect(await view()).toMatchObject({ status: 'succeeded' });
    expect(gate.told).toEqual([]);
  });
});

test('the log of a cleanup that has failed for good names its error and holds nothing of what it said', async () => {
  let text = '';
  const write = (line: string) => (text += line);
  const logger = createLogger({ name: 'executor-test', level: 'error', destination: { write } });
  const { make, view } = await cancelled(
    () => {
      throw Object.assign(failed(), { code: 'CARD_REFUSED', retryable: false });
    },
    { logger },
  );
  await make();
  expect(await view()).toMatchObject({
    status: 'failed',
    error: { message: 'card 4000 0000', stack: expect.stringContaining('run-cleanup.test.ts') },
  });
  expect(text).toContain('CARD_REFUSED');
  expect(text).not.toContain('4000');
});
