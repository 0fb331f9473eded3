import { fileURLToPath } from 'node:url';
import {
  type Fleet,
  type RunRecord,
  sharedRedis,
  startFleet,
  startProgram,
  testNamespace,
  within,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
/** A worker that a step blocks ends itself after 10 s of this. */
const BLOCKED_MS = 10_000;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    namespace,
    workerEnv: { FLOTILLA_HANDLERS: fixture('bad-handlers'), FLOTILLA_CONCURRENCY: '1' },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

const one = (use: string, more: object = {}) => ({
  definition: { flotilla: 1, name: 'bad', steps: { a: { kind: 'task', use, ...more } } },
});

async function runOne(use: string, more: object = {}) {
  const record = await fleet.api.runToEnd(one(use, more), 20_000);
  return { ...record, step: record.steps[0]!, starts: starts(record) };
}

const starts = ({ events }: RunRecord) => events.filter(({ type }) => type === 'attempt-started').length;

describe('what a handler returns', () => {
  test('nothing is stored as null', async () => {
    const { run, step } = await runOne('returns-undefined');
    expect([run.status, step.status, step.output]).toEqual(['succeeded', 'succeeded', null]);
  });

  test.each([
    ['returns-bigint', 'bigint'],
    ['returns-cycle', 'contains itself'],
    ['returns-50-mb', 'larger than 262144 bytes'],
    ['returns-nan', 'NaN is not JSON at /1'],
    ['returns-date', 'Date is not plain JSON at /at'],
    ['returns-instance', 'Money is not plain JSON'],
    ['returns-function', 'function is not JSON at /call'],
    ['returns-proto', '__proto__'],
  ])('%s fails the step once with what is wrong', async (use, why) => {
    const { run, step, starts: attempts } = await runOne(use, { retry: { maxAttempts: 5, initialMs: 1 } });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'STEP_OUTPUT_INVALID' } });
    expect(step.error?.message).toContain(why);
    expect(step.output).toBeUndefined();
    expect(attempts).toBe(1);
  });

  test('too many bytes do not end the worker', () => {
    expect(fleet.unexpectedEnds()).toEqual([]);
  });
});

describe('what a handler throws', () => {
  test.each([
    ['throws-string', 'only a text'],
    ['throws-null', 'null'],
  ])('%s is an error like any other: tried again, then told', async (use, message) => {
    const { run, step, starts: attempts } = await runOne(use, { retry: { maxAttempts: 2, initialMs: 1 } });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'STEP_FAILED' } });
    expect(step.error?.message).toContain(message);
    expect(attempts).toBe(2);
  });
});

describe('a time limit', () => {
  test('ends a handler that never returns, and its slot is free again', async () => {
    const { runId } = await fleet.api.start(
      one('never-returns', { timeouts: { attemptMs: 300 }, retry: { maxAttempts: 1 } }),
    );
    // There is one slot: this runs behind it.
    const behind = await fleet.api.runToEnd(one('flotilla.echo', { input: 1 }));
    expect(behind.run.status).toBe('succeeded');
    await fleet.api.waitForEnd([runId]);
    const { run, events } = await fleet.api.record(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT' } });
    expect(events.map(({ type }) => type)).toContain('attempt-timed-out');
  });

  test('of heartbeats ends a handler that sends none, and not one that does', async () => {
    const timeouts = { heartbeatMs: 2000, attemptMs: 60_000 };
    const silent = await runOne('sends-no-heartbeat', { timeouts, retry: { maxAttempts: 1 } });
    expect(silent.run).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT' } });
    expect(silent.step.error?.message).toContain('heartbeat');
    const alive = await runOne('sends-heartbeats', { timeouts, retry: { maxAttempts: 1 } });
    expect([alive.run.status, alive.step.output]).toEqual(['succeeded', 'alive']);
  });
});

describe("a handler's schemas", () => {
  test.each<[string, object, string, string[]]>([
    ['input', { count: 1.5, name: 'x' }, 'STEP_INPUT_INVALID', ['/count', '/name']],
    ['output', { count: 5, name: 'wrong' }, 'STEP_OUTPUT_INVALID', ['/total', '/label']],
  ])('refuse a wrong %s once, with all that is wrong', async (_what, input, code, pointers) => {
    const { run, step, starts: attempts } = await runOne('has-schemas', { input });
    expect(run).toMatchObject({ status: 'failed', error: { code } });
    for (const pointer of pointers) expect(step.error?.message).toContain(pointer);
    expect(attempts).toBe(1);
  });

  test('let right values through', async () => {
    const { step } = await runOne('has-schemas', { input: { count: 1, name: 'fine' } });
    expect(step.output).toEqual({ total: 10, label: 'fine' });
  });
});

describe('the context of a handler', () => {
  test('refuses tools outside the allowlist, once', async () => {
    const allowed = { toolAllowlist: ['search'] };
    const fine = await runOne('uses-tools', { ...allowed, input: { tools: ['search'] } });
    expect(fine.run.status).toBe('succeeded');
    const {
      run,
      step,
      starts: attempts,
    } = await runOne('uses-tools', {
      ...allowed,
      input: { tools: ['search', 'shell'] },
    });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'TOOL_NOT_ALLOWED' } });
    expect(step.error?.message).toContain('shell');
    expect(attempts).toBe(1);
  });

  test('gives an attempt what the one before it saved', async () => {
    const { step, events } = await runOne('saves-progress', { retry: { maxAttempts: 3, initialMs: 1 } });
    expect(step.output).toEqual({ attempt: 3, before: { attempt: 2, before: { attempt: 1, before: null } } });
    expect(events.filter(({ type }) => type === 'checkpoint-saved')).toHaveLength(3);
  });
});

describe('modules with handlers', () => {
  test('that cannot be used end the worker with 2 and all problems at once', async () => {
    const modules = [fixture('does-not-load'), fixture('duplicate-handlers'), fixture('is-not-there')];
    const program = await startProgram('worker', {
      REDIS_URL: sharedRedis().url,
      FLOTILLA_NAMESPACE: namespace,
      FLOTILLA_HANDLERS: modules.join(','),
    });
    const { code } = await within(program.exited, 20_000, 'the worker to end');
    for (const part of ['this module cannot be loaded', 'a step handler named twice', '"a:b"', 'is-not-there']) {
      expect(program.stderr()).toContain(part);
    }
    expect(code).toBe(2);
  }, 30_000);
});

// Last: it costs the fleet its workers.
describe('a handler that blocks the event loop', () => {
  test('has its worker end itself and say why; others go on and the attempt is recorded as lost', async () => {
    const before = fleet.workers[0]!;
    const { runId } = await fleet.api.start(one('blocks-the-loop'));
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    const other = await fleet.addWorker({ FLOTILLA_HANDLERS: undefined });
    await before.process.waitForLine(/has blocked the event loop for \d+ ms/, 2 * BLOCKED_MS);
    const { signal } = await before.process.exited;
    expect(signal).toBe('SIGKILL');
    const lost = await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-lost', BLOCKED_MS + 5000);
    expect(lost.worker ?? before.id).toBe(before.id);
    // The other worker does not have the handler: it is not handed the step, and does other work.
    const { run } = await fleet.api.runToEnd(one('flotilla.echo', { input: 1 }));
    expect(run.status).toBe('succeeded');
    expect(other.process.running()).toBe(true);
    const [step] = await fleet.api.steps(runId);
    expect(step).toMatchObject({ attempts: 0, lost: 1 });
    await fleet.api.post(`/v1/runs/${runId}/cancel`, {});
  }, 45_000);
});
