import { chanceOf, findWrongRuns } from '@flotilla/chaos';
import { checkRecording, rejectedAttempts } from '@flotilla/checker';
import { testNamespace } from '@flotilla/testing';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { makeSplitBrain, SPLIT_MS, type SplitBrain } from './split-brain.ts';

/** From the end of the split until runs go on. */
const RECOVERY_MS = 30_000;
const MAX_LAG_SECONDS = 2;
/** Acknowledgements and looks at them are a second apart each. */
const LOOKS_MS = 2000;
/** What the primary had written and not yet sent. */
const UNSENT_MS = 500;
const MOST_MS = 300_000;

const { seed } = chanceOf();

function tell(title: string, { fast, replicated, ...times }: SplitBrain): void {
  process.stdout.write(
    `F11 seed ${seed}, ${title}: another primary after ${times.promotedAfterMs} ms; fast: ${fast.acknowledged} accepted, ` +
      `${fast.lost.length} lost in ${fast.windowMs} ms; replicated: ${replicated.acknowledged} accepted, ` +
      `${replicated.lost.length} lost; accepting again ${times.recoveredAfterMs} ms after the split\n`,
  );
}

describe('F11 a primary is cut off from its replica for 15 s, together with those who submit', () => {
  let result: SplitBrain;
  const mostLossMs = MAX_LAG_SECONDS * 1000 + LOOKS_MS;
  beforeAll(async () => {
    result = await makeSplitBrain({ seed, namespace: testNamespace(import.meta.url), maxLagSeconds: MAX_LAG_SECONDS });
    tell(`max-lag ${MAX_LAG_SECONDS}`, result);
  }, MOST_MS);

  test('no run that was accepted as replicated is lost', () => {
    expect(result.replicated.acknowledged).toBeGreaterThan(0);
    expect(result.replicated.lost).toEqual([]);
  });

  test('runs accepted as fast are lost for no longer than min-replicas-max-lag and 2 s', () => {
    expect(result.fast.lost.length).toBeGreaterThan(0);
    expect(result.fast.windowMs).toBeLessThanOrEqual(mostLossMs);
  });

  test('submissions are accepted again within 30 s of the end of the split', () => {
    expect(result.recoveredAfterMs).toBeLessThan(RECOVERY_MS);
  });

  test('what the cut-off workers bring afterwards is refused and recorded', () => {
    const late = result.recording.runs.filter(({ run }) => run.runId.startsWith('long-'));
    expect(late.flatMap(rejectedAttempts).length).toBeGreaterThan(0);
  });

  test('every run that is there ends right, fences grow, and no invariant is broken', () => {
    const { recording, present, splitAt } = result;
    const records = new Map(recording.runs.map((record) => [record.run.runId, record]));
    const wrong = findWrongRuns(
      present,
      present.map(({ runId }) => records.get(runId)!),
    );
    expect(wrong).toEqual([]);
    const lossWindows = [{ startAt: splitAt - UNSENT_MS, endAt: splitAt + mostLossMs }];
    expect(checkRecording(recording, { bounds: { recoveryMs: { 'split-brain': RECOVERY_MS }, lossWindows } })).toEqual(
      [],
    );
  });
});

describe('F11 the same without min-replicas-to-write', () => {
  let result: SplitBrain;
  beforeAll(async () => {
    result = await makeSplitBrain({ seed, namespace: testNamespace(import.meta.url), maxLagSeconds: undefined });
    tell('no min-replicas', result);
  }, MOST_MS);

  test('no run that was accepted as replicated is lost', () => {
    expect(result.replicated.acknowledged).toBeGreaterThan(0);
    expect(result.replicated.lost).toEqual([]);
  });

  test('runs accepted as fast are lost as long as the split lasts: the setting is what bounds it', () => {
    expect(result.fast.windowMs).toBeGreaterThan(SPLIT_MS - 1000);
  });
});
