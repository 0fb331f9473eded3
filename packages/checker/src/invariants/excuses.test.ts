import { describe, expect, test } from '@jest/globals';
import { EMPTY_RECORDING, type FaultEntry } from '../recording.ts';
import { excusedMs } from './excuses.ts';

const bounds = { recoveryMs: { other: 1000 } };

function fault(startAt: number, endAt: number): FaultEntry {
  return { faultId: `${startAt}`, kind: 'kill-worker', startAt, endAt, targets: [], proof: ['killed'] };
}

function excused(faults: readonly FaultEntry[], fromAt: number, toAt: number): number {
  return excusedMs({ ...EMPTY_RECORDING, faults }, bounds, fromAt, toAt);
}

describe('what faults excuse between two moments', () => {
  test('is the time in which one went on or was recovered from', () => {
    expect(excused([fault(10_000, 12_000)], 0, 100_000)).toBe(3000);
    expect(excused([fault(10_000, 12_000)], 11_500, 100_000)).toBe(1500);
    expect(excused([fault(10_000, 12_000)], 0, 12_500)).toBe(2500);
  });

  test('is nothing where the fault was before or came after', () => {
    expect(excused([fault(10_000, 12_000)], 13_000, 100_000)).toBe(0);
    expect(excused([fault(10_000, 12_000)], 0, 9999)).toBe(0);
  });

  test('counts once what several cover, in whatever order they are told of', () => {
    const [long, within, later] = [fault(10_000, 20_000), fault(12_000, 13_000), fault(20_500, 22_000)];
    expect(excused([within, long], 0, 100_000)).toBe(11_000);
    expect(excused([later, long, within], 0, 100_000)).toBe(13_000);
    expect(excused([long, long], 0, 100_000)).toBe(11_000);
  });

  test('adds up what is apart', () => {
    expect(excused([fault(30_000, 30_000), fault(10_000, 12_000)], 0, 100_000)).toBe(4000);
  });
});
