import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, spawnNode } from '@flotilla/local-fleet';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PROCESS_METRICS } from './bounds.ts';
import { type JudgedSeries, judgeSeries } from './judge-series.ts';
import { type ProcessSample, sampleFile } from './process-sample.ts';
import { probeArgs } from './sampler.ts';

const LEAKY = fileURLToPath(new URL('./testing/leaky-loop.ts', import.meta.url));
const RUNS_PER_SECOND = 1000;
const EVERY_MS = 150;
const WARM_UP_SAMPLES = 8;
const SAMPLES = 48;
const MOST_MS = 120_000;

describe('a real process that makes a thousand runs a second', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function judgeHeap(leakBytes: number): Promise<{ judged: JudgedSeries; runsPerHour: number }> {
    const env = { SOAK_FOLDER: folder, SOAK_EVERY_MS: String(EVERY_MS) };
    const args = [String(leakBytes), String(RUNS_PER_SECOND)];
    const leaky = await spawnNode(LEAKY, args, { env, nodeArgs: probeArgs() });
    try {
      const file = join(folder, sampleFile(leaky.pid));
      const read = () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []);
      const enough = async () => read().length >= WARM_UP_SAMPLES + SAMPLES;
      await eventually(enough, { timeoutMs: 60_000, intervalMs: 100, message: 'enough samples' });
      const lines = read().slice(WARM_UP_SAMPLES, WARM_UP_SAMPLES + SAMPLES);
      const samples = lines.map((line) => JSON.parse(line) as ProcessSample);
      const measuredMs = samples.at(-1)!.at - samples[0]!.at;
      const runs = (measuredMs / 1000) * RUNS_PER_SECOND;
      const heap = PROCESS_METRICS.find(({ name }) => name === 'heap')!;
      const judged = judgeSeries(heap, samples, { measuredMs, runs })!;
      return { judged, runsPerHour: RUNS_PER_SECOND * 3600 };
    } finally {
      await leaky.kill9();
    }
  }

  test(
    'and leaks a kilobyte in each is caught, with how much it is',
    async () => {
      const { judged, runsPerHour } = await judgeHeap(1024);
      expect(judged.verdict).toBe('grows');
      const bytesARun = judged.slope!.perX / runsPerHour;
      expect(bytesARun).toBeGreaterThan(900);
      expect(bytesARun).toBeLessThan(1200);
    },
    MOST_MS,
  );

  test(
    'and leaks nothing is not',
    async () => {
      const { judged } = await judgeHeap(0);
      expect(judged.verdict).not.toBe('grows');
    },
    MOST_MS,
  );
});
