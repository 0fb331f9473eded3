import { describe, expect, test } from '@jest/globals';
import { Recorder } from './recorder.ts';
import type { ClientCall, EffectReport, RecordedRun } from './recording.ts';

const times = { startAt: 1, endAt: 2 };
const started = (runId: string): ClientCall => ({ kind: 'start', request: { workflow: 'w', runId }, ...times });
const effectOf = (runId: string): EffectReport => ({
  kind: 'effect',
  at: 1,
  key: `${runId}/s`,
  runId,
  stepId: 's',
  fence: 1,
  outputHash: '',
  applied: true,
});

describe('a recorder that forgets runs', () => {
  test('drops their calls, effects and histories, and keeps those of others', () => {
    const recorder = new Recorder();
    const byKey = {
      kind: 'start',
      request: { workflow: 'w', idempotencyKey: 'k' },
      answer: { runId: 'old', status: 'pending', deduplicated: false, durability: 'fast' },
      ...times,
    } as const;
    recorder.addAll('calls', [started('old'), byKey, { kind: 'cancel', runId: 'old', ...times }, started('new')]);
    recorder.addAll('effects', [effectOf('old'), effectOf('new')]);
    const runs = ['old', 'new'].map((runId) => ({ run: { runId }, steps: [], events: [] }) as unknown as RecordedRun);
    recorder.addAll('runs', runs);

    recorder.forgetRuns(new Set(['old']));

    const { calls, effects, runs: left } = recorder.recording();
    expect(calls).toEqual([started('new')]);
    expect(effects).toEqual([effectOf('new')]);
    expect(left.map(({ run }) => run.runId)).toEqual(['new']);
  });

  test('keeps a start that nobody answered and that names no run', () => {
    const recorder = new Recorder();
    const unknown: ClientCall = { kind: 'start', request: { workflow: 'w' }, error: 'no answer', ...times };
    recorder.add('calls', unknown);
    recorder.forgetRuns(new Set(['']));
    expect(recorder.recording().calls).toEqual([unknown]);
  });
});
