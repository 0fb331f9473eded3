import { readFile, writeFile } from 'node:fs/promises';
import type { BenchOptions } from '../options.ts';

/** Ratios of an earlier measurement, by name; more is better. Comparable only with the same settings. */
export interface Baseline {
  measured: string;
  settings: BaselineSettings;
  ratios: Record<string, number>;
}

export interface BaselineSettings {
  scale: number;
  workers: number;
  slots: number;
}

/** A ratio may fall by so much before it counts: what moves by less is the machine. */
export const TOLERANCE = 0.25;

export interface Drop {
  name: string;
  kept: number;
  now: number;
}

/** A baseline that cannot be used: bad usage, not a bad measurement. */
export class BaselineProblem extends Error {}

export function settingsOf({ scale, workers, slots }: BenchOptions): BaselineSettings {
  return { scale, workers, slots };
}

/** Ratios that both have and that are now down by more than the tolerance, worst first. */
export function dropsBelow(baseline: Baseline, ratios: Readonly<Record<string, number>>): Drop[] {
  return Object.entries(baseline.ratios)
    .flatMap(([name, kept]) => {
      const now = ratios[name];
      return now === undefined || now >= kept * (1 - TOLERANCE) ? [] : [{ name, kept, now }];
    })
    .toSorted((a, b) => a.now / a.kept - b.now / b.kept);
}

/** Ratios that the baseline has of workloads that were measured now, and that nevertheless nobody knows now. */
export function missingFrom(
  baseline: Baseline,
  ratios: Readonly<Record<string, number>>,
  workloads: readonly string[],
): string[] {
  const isMeasured = (name: string) => workloads.some((workload) => name.startsWith(workload));
  return Object.keys(baseline.ratios).filter((name) => isMeasured(name) && ratios[name] === undefined);
}

export function tellDrop({ name, kept, now }: Drop): string {
  return `${name} is ${now.toFixed(2)}, ${Math.round((1 - now / kept) * 100)} % below the ${kept.toFixed(2)} of the baseline`;
}

/** @throws BaselineProblem when the file is missing, is no baseline, or was measured with other settings */
export async function readBaseline(file: string, settings: BaselineSettings): Promise<Baseline> {
  const baseline = parseBaseline(file, await textOf(file));
  for (const name of ['scale', 'workers', 'slots'] as const) {
    if (baseline.settings[name] === settings[name]) continue;
    throw new BaselineProblem(
      `${file} was measured with --${name} ${baseline.settings[name]}, this is --${name} ${settings[name]}: the ratios do not compare`,
    );
  }
  return baseline;
}

/** Keeps ratios. Those of the file that were not measured now stay, when its settings are the same. */
export async function writeBaseline(file: string, baseline: Baseline): Promise<void> {
  const ratios = { ...(await earlierRatios(file, baseline.settings)), ...baseline.ratios };
  const rounded = Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, Number(ratio.toFixed(3))]));
  await writeFile(file, `${JSON.stringify({ ...baseline, ratios: rounded }, null, 2)}\n`);
}

async function earlierRatios(file: string, settings: BaselineSettings): Promise<Record<string, number>> {
  try {
    return (await readBaseline(file, settings)).ratios;
  } catch (error) {
    if (error instanceof BaselineProblem) return {};
    throw error;
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const hint = 'keep one with --update-baseline';
    throw new BaselineProblem(`the baseline ${file} cannot be read (${hint}): ${(error as Error).message}`);
  }
}

function parseBaseline(file: string, text: string): Baseline {
  try {
    const found = JSON.parse(text) as Partial<Baseline> | null;
    const ratios = Object.values(found?.ratios ?? { none: undefined });
    if (typeof found?.settings === 'object' && ratios.every((ratio) => typeof ratio === 'number' && ratio > 0))
      return found as Baseline;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BaselineProblem(`${file} is not a baseline of flotilla bench`);
}
