import { expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';

test('gives what a check returns that is something, and repeats one that throws', async () => {
  const outcomes = [() => undefined, () => expect(1).toBe(2), () => 'found'];
  expect(await eventually(() => outcomes.shift()!(), { intervalMs: 1 })).toBe('found');
});

test('looks less often the longer it has waited', async () => {
  let checks = 0;
  const startedMs = performance.now();
  const never = eventually(
    () => {
      checks += 1;
      return false;
    },
    { timeoutMs: 600, message: 'nothing' },
  );
  await expect(never).rejects.toThrow('waited 600 ms for nothing');
  // However long it was: every 10 ms would be more.
  expect(checks).toBeLessThan((0.85 * (performance.now() - startedMs)) / 10);
});

test('looks as often as it is told to, however long it has waited', async () => {
  const checks: number[] = [];
  const never = eventually(
    () => {
      checks.push(performance.now());
      return false;
    },
    { timeoutMs: 2000, intervalMs: 5, message: 'nothing' },
  );
  await expect(never).rejects.toThrow('waited 2000 ms for nothing');
  // The shortest, because a machine may make any pause longer. After 1.6 s one that grows is of 80 ms.
  const pauses = checks.slice(1).map((at, index) => (at - checks[0]! > 1600 ? at - checks[index]! : 80));
  expect(Math.min(...pauses)).toBeLessThan(60);
});
