import type { ProcessEntry } from '@flotilla/checker';
import { describe, expect, test } from '@jest/globals';
import { excuseDrains, withBounds } from './bounds.ts';
import { type FaultId, faultOf } from './fault-table.ts';
import type { MadeFault } from './run-chaos.ts';

function made(id: FaultId, startAt: number, endAt = startAt): MadeFault {
  const planned = { number: 1, id, variant: faultOf(id).variants.at(-1)!, atMs: 0, slot: 0 };
  return { planned, startAt, endAt, targets: [], proof: ['it hit'], isAlone: true, boundMs: 0, recoveriesMs: [] };
}

describe('the bound of a fault', () => {
  test('is its own when the next comes after that has passed', () => {
    expect(withBounds([made('F1', 0), made('F1', 12_001)]).map(({ boundMs }) => boundMs)).toEqual([12_000, 12_000]);
  });

  test('is that of mixes beside another, for both of them', () => {
    expect(withBounds([made('F1', 0), made('F3', 11_000, 13_000)])).toMatchObject([
      { isAlone: false, boundMs: 30_000 },
      { isAlone: false, boundMs: 30_000 },
    ]);
  });

  test('has the time on top in which there was no Redis or no scheduler, each once', () => {
    const [killed] = withBounds([made('F1', 0), made('F6', 5000, 30_000), made('F5', 32_000, 34_000)]);
    expect(killed?.boundMs).toBe(30_000 + 25_000 + 2000);
  });
});

describe('a worker that gave up draining', () => {
  const ended = (at: number): ProcessEntry => ({
    id: 'w-1',
    kind: 'worker',
    pid: 1,
    startedAt: 0,
    exit: { at, code: 1, signal: null },
    planned: { codes: [0] },
    complaints: [],
  });

  test('is excused when Redis was away meanwhile, and only then', () => {
    const away = [made('F6', 1000, 20_000)];
    expect(excuseDrains([ended(19_000)], away)[0]?.planned?.codes).toEqual([0, 1]);
    expect(excuseDrains([ended(60_000)], away)[0]?.planned?.codes).toEqual([0]);
    expect(excuseDrains([ended(19_000)], [made('F1', 1000)])[0]?.planned?.codes).toEqual([0]);
  });
});
