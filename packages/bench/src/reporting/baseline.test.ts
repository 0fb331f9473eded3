import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BaselineProblem, dropsBelow, missingFrom, readBaseline, tellDrop, writeBaseline } from './baseline.ts';

const SETTINGS = { scale: 0.5, workers: 1, slots: 64 };
const KEPT = { measured: '2026-11-22', settings: SETTINGS, ratios: { 'chain x plain': 2, 'fan x plain': 1.6 } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a ratio', () => {
  test('may be down by a quarter and no more', () => {
    expect(dropsBelow(KEPT, { 'chain x plain': 1.5, 'fan x plain': 1.21 })).toEqual([]);
    const drops = dropsBelow(KEPT, { 'chain x plain': 1.49, 'fan x plain': 0.8 });
    expect(drops.map(({ name }) => name)).toEqual(['fan x plain', 'chain x plain']);
    expect(tellDrop(drops[0]!)).toBe('fan x plain is 0.80, 50 % below the 1.60 of the baseline');
  });

  test('may rise, be new, or not have been measured', () => {
    expect(dropsBelow(KEPT, { 'chain x plain': 5, 'latency x plain': 0.1 })).toEqual([]);
  });
});

test('a ratio that should have been measured and was not is missing; that of a workload left out is not', () => {
  expect(missingFrom(KEPT, { 'chain x plain': 2 }, ['chain'])).toEqual([]);
  expect(missingFrom(KEPT, { 'chain x plain': 2 }, ['chain', 'fan'])).toEqual(['fan x plain']);
});

describe('a baseline file', () => {
  test('gives back what was kept, and keeps ratios that were not measured again', async () => {
    const file = join(folder, 'baseline.json');
    await writeBaseline(file, KEPT);
    await writeBaseline(file, { ...KEPT, measured: '2026-12-01', ratios: { 'chain x plain': 2.34567 } });
    expect(await readBaseline(file, SETTINGS)).toEqual({
      measured: '2026-12-01',
      settings: SETTINGS,
      ratios: { 'chain x plain': 2.346, 'fan x plain': 1.6 },
    });
  });

  test('starts anew when it is kept with other settings', async () => {
    const file = join(folder, 'other-settings.json');
    await writeBaseline(file, KEPT);
    const settings = { ...SETTINGS, scale: 1 };
    await writeBaseline(file, { ...KEPT, settings, ratios: { 'chain x plain': 3 } });
    expect((await readBaseline(file, settings)).ratios).toEqual({ 'chain x plain': 3 });
  });

  test('of other settings is refused: its ratios do not compare', async () => {
    const file = join(folder, 'settings.json');
    await writeBaseline(file, KEPT);
    await expect(readBaseline(file, { ...SETTINGS, scale: 1 })).rejects.toThrow(/--scale 0\.5, this is --scale 1/);
  });

  test.each(['', '[]', 'null', '{"settings":{},"ratios":{"chain x plain":"2"}}', '{"settings":{}}'])(
    'that says %p is refused',
    async (text) => {
      const file = join(folder, 'broken.json');
      await writeFile(file, text);
      await expect(readBaseline(file, SETTINGS)).rejects.toThrow(BaselineProblem);
    },
  );

  test('that is missing is refused with what to do', async () => {
    await expect(readBaseline(join(folder, 'none.json'), SETTINGS)).rejects.toThrow(/--update-baseline/);
  });

  test('of this project is one for the short form', async () => {
    const file = join(import.meta.dirname, '..', '..', 'baseline.json');
    const { ratios } = await readBaseline(file, SETTINGS);
    expect(Object.keys(ratios).filter((name) => !/^(chain|fan)\b/.test(name))).toEqual([]);
    expect(Object.keys(ratios).length).toBeGreaterThanOrEqual(2);
    expect(await readFile(file, 'utf8')).toMatch(/\}\n$/);
  });
});
