import { expect, test } from '@jest/globals';
import { eventually } from './eventually.ts';

test('gives what a check returns that is something, and repeats one that throws', async () => {
  const outcomes = [() => undefined, () => expect(1).toBe(2), () => 'found'];
  expect(await eventually(() => outcomes.shift()!(), { intervalMs: 1 })).toBe('found');
});

test('looks less often the longer it has waited', async () => {
  let checks = 0;
  const never = eventually(
    () => {
      checks += 1;
      return false;
    },
    { timeoutMs: 600, message: 'nothing' },
  );
  await expect(never).rejects.toThrow('waited 600 ms for nothing');
  // Every 10 ms would be 60 times.
  expect(checks).toBeLessThan(50);
});

test('looks as often as it is told to, however long it has waited', async () => {
  let checks = 0;
  const never = eventually(
    () => {
      checks += 1;
      return false;
    },
    { timeoutMs: 2000, intervalMs: 5, message: 'nothing' },
  );
  await expect(never).rejects.toThrow('waited 2000 ms for nothing');
  // With pauses that grow it would be some 60.
  expect(checks).toBeGreaterThan(100);
});
