import { describe, expect, test } from '@jest/globals';
import { type AttemptOutcome, WorkMeter } from './work-meter.ts';

let now = 0;
let attempts = 0;

function meterAt(start = 1000): WorkMeter {
  now = start;
  return new WorkMeter(() => now);
}

function attempt(meter: WorkMeter, outcome: AttemptOutcome, tookMs = 10, step = `r/s${attempts}`, handler = 'work') {
  attempts += 1;
  meter.began(`a${attempts}`, handler);
  now += tookMs;
  meter.ended(`a${attempts}`, outcome, step);
}

describe("the meter of an agent's work", () => {
  test('knows nothing bad of an agent that has done nothing', () => {
    const report = meterAt().report();
    expect(report).toMatchObject({ succeeded: 0, failed: 0, successRate: 1, errorRate: 0, consecutiveFailures: 0 });
    expect(report).not.toHaveProperty('p95Ms');
  });

  test('counts what ended in the last minute, and everything since the start', () => {
    const meter = meterAt();
    for (let index = 0; index < 6; index += 1) attempt(meter, 'succeeded');
    now += 57_000;
    for (let index = 0; index < 2; index += 1) attempt(meter, 'failed');
    expect(meter.report()).toMatchObject({ succeeded: 6, failed: 2, errorRate: 0.25, consecutiveFailures: 2 });
    now += 10_000;
    expect(meter.report()).toMatchObject({ succeeded: 0, failed: 2, totalSucceeded: 6, totalFailed: 2 });
    now += 60_000;
    expect(meter.report()).toMatchObject({ succeeded: 0, failed: 0, successRate: 1, totalFailed: 2 });
  });

  test('a step that fails again and again counts once, a success ends the row', () => {
    const meter = meterAt();
    for (let index = 0; index < 20; index += 1) attempt(meter, 'failed', 10, 'r/poison');
    expect(meter.report()).toMatchObject({ failed: 1, consecutiveFailures: 1 });
    attempt(meter, 'failed', 10, 'r/other');
    expect(meter.report()).toMatchObject({ consecutiveFailures: 2 });
    attempt(meter, 'succeeded');
    expect(meter.report()).toMatchObject({ consecutiveFailures: 0, failed: 2 });
  });

  test('a step that could not be begun counts as a failure of no handler, and is told of', () => {
    const told: number[] = [];
    const meter = new WorkMeter(() => 0);
    meter.onFailure = (consecutive) => told.push(consecutive);
    meter.couldNotBegin('run/0');
    meter.couldNotBegin('run/0');
    meter.couldNotBegin('run/1');
    expect(told).toEqual([1, 2]);
    expect(meter.report()).toMatchObject({ failed: 2, totalFailed: 2, consecutiveFailures: 2, handlers: {} });
  });

  test('ORIGIN: cancelled attempts and what does not speak of the agent leave no trace', () => {
    const meter = meterAt();
    attempt(meter, 'failed');
    attempt(meter, 'neither', 5000);
    expect(meter.report()).toMatchObject({ failed: 1, consecutiveFailures: 1, responseTimeMs: 10, p95Ms: 10 });
  });

  test('tells what attempts take: a weighted mean and the 95th percentile', () => {
    const meter = meterAt();
    for (let index = 0; index < 95; index += 1) attempt(meter, 'succeeded', 100);
    for (let index = 0; index < 5; index += 1) attempt(meter, 'succeeded', 1000);
    const { responseTimeMs, p95Ms } = meter.report();
    expect(p95Ms).toBe(1000);
    expect(responseTimeMs).toBeGreaterThan(600);
    expect(responseTimeMs).toBeLessThan(1000);
  });

  test('attempts under way count as soon as they take longer than usual', () => {
    const meter = meterAt();
    for (let index = 0; index < 40; index += 1) attempt(meter, 'succeeded', 100);
    for (const id of ['x', 'y', 'z']) meter.began(id, 'work');
    now += 50;
    expect(meter.report().handlers).toEqual({ work: { attempts: 32, typicalMs: 100 } });
    now += 20_000;
    expect(meter.report().handlers).toEqual({ work: { attempts: 3, typicalMs: 20_050 } });
    meter.forgetDurations();
    for (const id of ['x', 'y', 'z']) meter.ended(id, 'neither', 'r/s');
    expect(meter.report().handlers).toEqual({});
  });

  test('long attempts beside many short ones of the same handler do not make it slow', () => {
    const meter = meterAt();
    for (const id of ['x', 'y', 'z']) meter.began(id, 'work');
    for (let index = 0; index < 40; index += 1) attempt(meter, 'succeeded', 500);
    expect(meter.report().handlers['work']).toMatchObject({ typicalMs: 500 });
  });

  test('stays small, whatever it measures', () => {
    const meter = meterAt();
    for (let index = 0; index < 20_000; index += 1)
      attempt(meter, index % 3 === 0 ? 'failed' : 'succeeded', 1, `r/${index}`, `h${index % 100}`);
    expect(JSON.stringify(meter.report()).length).toBeLessThan(2000);
  });
});
