import { fileURLToPath } from 'node:url';
import {
  type ChaosOptions,
  type ChaosResult,
  chanceOf,
  type FaultId,
  faultOf,
  findFaketime,
  isClean,
  keep,
  MIX_BOUND_MS,
  MIXES,
  planEachWay,
  recoveriesOf,
  runChaos,
  textOf,
} from '@flotilla/chaos';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

export interface PromiseOptions {
  fault: FaultId;
  /** Default 3. */
  workers?: number;
  /** How often each way of it is made. Default 1. */
  times?: number;
  /** Why this machine cannot make it: said aloud, and nothing is tested. */
  impossible?: string | undefined;
  /** No attempt may be lost, and none charged that did not fail by itself. */
  costsNoAttempt?: boolean;
  /** It may pass without anything having to go on: it costs its worker no attempt, or not each time. */
  mayHitNothing?: boolean;
  /** From the end of the fault until the process that it hit takes part again. */
  rejoinBoundMs?: number;
  /** What else is promised: title -> what breaks it; none when it is kept. */
  further?: Readonly<Record<string, (result: ChaosResult) => readonly string[]>>;
}

/** Only the warm-up is a share of it, 3 s: what comes after lasts as long as the faults do. */
const DURATION_MS = 30_000;
const MOST_MS = 600_000;

/** Tests what is promised of one fault by making it, in each of its ways, on a fleet that works. */
export function testPromise(promise: string, options: PromiseOptions): void {
  const { fault, times = 1, workers = 3, impossible } = options;
  if (impossible !== undefined) {
    test(`${promise} (NOT TESTED HERE: ${impossible})`, () => {
      process.stdout.write(`${fault} IS NOT TESTED: ${impossible}\n`);
    });
    return;
  }
  describe(promise, () => {
    const plan = planEachWay(fault, times);
    const played = play(fault, { faults: [fault], oneByOne: plan, durationMs: DURATION_MS, workers });

    test('every fault shows that it hit', () => {
      expect(findIdle(played())).toEqual([]);
      expect(played().faults).toHaveLength(plan.length);
    });

    test(`what it hit goes on within ${faultOf(fault).boundMs / 1000} s`, () => {
      expect(played().faults.filter(({ isAlone }) => !isAlone)).toEqual([]);
      expectBounds(played());
      // Where nothing had to go on, no bound was met.
      if (!options.mayHitNothing) expect(played().faults.flatMap(({ recoveriesMs }) => recoveriesMs)).not.toEqual([]);
    });

    test('no run is lost, no step committed twice, no invariant broken', () => expectRight(played()));

    if (options.costsNoAttempt) {
      test('no attempt is lost or charged', () => {
        expect(findCosts(played())).toEqual([]);
      });
    }
    const { rejoinBoundMs } = options;
    if (rejoinBoundMs !== undefined) {
      test(`who was hit takes part again within ${rejoinBoundMs / 1000} s`, () => {
        expect(played().faults.filter(({ rejoinMs = 0 }) => rejoinMs > rejoinBoundMs)).toEqual([]);
      });
    }
    for (const [title, find] of Object.entries(options.further ?? {})) {
      test(title, () => {
        expect(find(played())).toEqual([]);
      });
    }
  });
}

/** Warm-up included. Every fault of a mix comes several times in it. */
const MIX_DURATION_MS = 240_000;

/** Tests what is promised of several faults at once, by chance. */
export function testMix(promise: string, mix: keyof typeof MIXES): void {
  const faults = MIXES[mix].filter((fault) => fault !== 'F19' || findFaketime() !== undefined);
  describe(promise, () => {
    const played = play(mix, { faults, durationMs: MIX_DURATION_MS, workers: 3 });

    test(`every fault shows that it hit, and there are all of ${faults.join(', ')}`, () => {
      expect(findIdle(played())).toEqual([]);
      expect(new Set(played().faults.map(({ planned }) => planned.id))).toEqual(new Set(faults));
    });

    test(`what they hit goes on within ${MIX_BOUND_MS / 1000} s, and the time without a Redis`, () => {
      expectBounds(played());
      expect(played().faults.flatMap(({ recoveriesMs }) => recoveriesMs)).not.toEqual([]);
    });

    test('no run is lost, no step committed twice, no invariant broken', () => expectRight(played()));
  });
}

/** Makes the faults before the tests of a block, and keeps everything when something was wrong. Gives what came of it. */
function play(
  name: string,
  options: Pick<ChaosOptions, 'faults' | 'durationMs' | 'oneByOne' | 'workers'>,
): () => ChaosResult {
  let result: ChaosResult | undefined;
  beforeAll(async () => {
    const { seed } = chanceOf();
    process.stdout.write(`${name}: seed ${seed}\n`);
    result = await runChaos({ ...options, seed, schedulers: 2 });
  }, MOST_MS);
  afterAll(() => {
    if (result === undefined) return;
    process.stdout.write(`${textOf(result)}\n`);
    if (isClean(result)) return;
    const folder = fileURLToPath(new URL(`../../.flotilla/chaos/${name}-${result.seed}`, import.meta.url));
    keep(folder, result);
    process.stdout.write(`${name}: recording, logs and report are in ${folder}\n`);
  });
  return () => {
    if (result === undefined) throw new Error('the faults were not made');
    return result;
  };
}

function findIdle({ faults }: ChaosResult): unknown[] {
  return faults.filter(({ proof }) => proof.length === 0);
}

function expectBounds({ faults }: ChaosResult): void {
  for (const { recoveriesMs, boundMs } of faults) {
    expect(Math.max(0, ...recoveriesMs)).toBeLessThanOrEqual(boundMs);
  }
}

function expectRight({ problems, violations, runs, doubleCommits }: ChaosResult): void {
  expect(problems).toEqual([]);
  expect(violations).toEqual([]);
  expect(runs).toMatchObject({ lost: 0, unanswered: 0 });
  expect(doubleCommits).toBe(0);
}

/** Steps of the load that fail once on purpose. */
const FAILS_ONCE: ReadonlySet<string> = new Set(['fails', 'saves']);

/** Attempts that were lost, and steps that were charged more attempts than they failed on purpose. */
function findCosts({ recording }: ChaosResult): string[] {
  return recording.runs.flatMap(({ run, steps, events }) => [
    ...events.filter(({ type }) => type === 'attempt-lost').map(({ stepId }) => `${run.runId} lost ${stepId}`),
    ...steps
      .filter(({ stepId, attempts }) => attempts > (FAILS_ONCE.has(stepId) ? 2 : 1))
      .map(({ stepId, attempts }) => `${run.runId} charged ${stepId} ${attempts} attempts`),
  ]);
}

/** Faults in which nobody refused a submission with a time to try again. */
export function findUnrefusedSubmissions({ faults }: ChaosResult): string[] {
  return faults
    .filter(({ proof }) => !proof.some((sentence) => /503 STORAGE_FULL, retry after \d+ ms/.test(sentence)))
    .map(({ planned }) => `fault ${planned.number}`);
}

const MOST_LINES_A_SECOND = 10;

/** Workers that wrote too much while a fault was going on. */
export function findLogFloods({ faults, logs }: ChaosResult): string[] {
  return faults.flatMap(({ planned, startAt, endAt }) =>
    [...logs].flatMap(([id, lines]) => {
      const during = lines.filter((line) => {
        const at = Number(/"time":(\d+)/.exec(line)?.[1]);
        return at >= startAt && at <= endAt;
      });
      const rate = during.length / Math.max(1, (endAt - startAt) / 1000);
      return rate > MOST_LINES_A_SECOND
        ? [`${id} wrote ${rate.toFixed(1)} lines a second in fault ${planned.number}`]
        : [];
    }),
  );
}

const MOST_WAIT_MS = 12_000;

/** Steps of the load that waited too long because of a step that ended their worker. */
export function findOthersWaiting({ faults, recording }: ChaosResult): string[] {
  const others = recording.runs.filter(({ run }) => run.runId.startsWith('load-'));
  return faults.flatMap((fault) =>
    recoveriesOf(fault, others, true)
      .filter((ms) => ms > MOST_WAIT_MS)
      .map((ms) => `a step waited ${ms} ms after fault ${fault.planned.number}`),
  );
}
