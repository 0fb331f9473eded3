import { isLegalId } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createRunId, partitionOfKey, partitionOfRun, randomToken } from './run-id.ts';

const partitions = fc.integer({ min: 1, max: 1000 });
const anyText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });

describe('the partition of a run', () => {
  test('follows from its id alone, and is one of those that there are', () => {
    fc.assert(
      fc.property(anyText, partitions, (id, count) => {
        const partition = partitionOfRun(id, count);
        expect(partition).toBe(partitionOfRun(id, count));
        expect(Number.isInteger(partition) && partition >= 0 && partition < count).toBe(true);
      }),
    );
  });

  test('is the one that its id was made for', () => {
    fc.assert(
      fc.property(partitions, fc.nat(999), (count, wanted) => {
        const runId = createRunId(wanted % count);
        expect(partitionOfRun(runId, count)).toBe(wanted % count);
        expect(isLegalId(runId)).toBe(true);
      }),
    );
  });

  test('is read from the prefix of ids that have one, and hashed for others', () => {
    expect(partitionOfRun('07-x', 16)).toBe(7);
    expect(partitionOfRun('17-x', 16)).toBe(1);
    expect(partitionOfRun('0123-x', 1000)).toBe(123);
    // No prefix: one digit, five digits, no dash.
    for (const id of ['7-x', '12345-x', '07', 'order-07']) {
      expect(partitionOfRun(id, 1_000_003)).toBe(partitionOfRun(id, 1_000_003));
    }
    const spread = new Set(Array.from({ length: 400 }, (_, index) => partitionOfRun(`order-${index}`, 16)));
    expect(spread.size).toBe(16);
  });
});

describe('the partition of an idempotency key', () => {
  test('is one of those that there are, and they are spread', () => {
    const spread = new Map<number, number>();
    for (let index = 0; index < 1600; index += 1) {
      const partition = partitionOfKey(`key-${index}`, 16);
      spread.set(partition, (spread.get(partition) ?? 0) + 1);
    }
    expect([...spread.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, index) => index));
    for (const count of spread.values()) expect(count).toBeGreaterThan(40);
  });
});

describe('random ids', () => {
  test('are as long as asked for and do not repeat', () => {
    const tokens = Array.from({ length: 20_000 }, () => randomToken(16));
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) expect(token).toMatch(/^[a-z2-7]{16}$/);
  });
});
