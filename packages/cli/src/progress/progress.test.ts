import type { HistoryEvent } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { LiveLines } from './live-lines.ts';
import { itemsLine, renderProgress, settledLine } from './render-progress.ts';
import { RunProgress } from './run-progress.ts';

let seq = 0;
function event(type: HistoryEvent['type'], stepId?: string, fields: Partial<HistoryEvent> = {}): HistoryEvent {
  seq += 1;
  return { seq, at: 1000 + seq * 100, type, ...(stepId === undefined ? {} : { stepId }), ...fields };
}

function progressAfter(totalSteps: number | undefined, ...events: HistoryEvent[]): RunProgress {
  const progress = new RunProgress(totalSteps);
  for (const each of events) progress.apply(each);
  return progress;
}

describe('RunProgress', () => {
  test('counts what has settled and knows what runs', () => {
    const progress = progressAfter(
      5,
      event('run-created'),
      event('attempt-started', 'a'),
      event('attempt-started', 'b'),
      event('attempt-succeeded', 'a'),
      event('step-succeeded', 'a'),
      event('step-skipped', 'c'),
      event('attempt-failed', 'b'),
      event('attempt-started', 'b', { attempt: 2 }),
    );
    expect(progress.settled).toBe(2);
    expect(progress.counts).toMatchObject({ succeeded: 1, skipped: 1 });
    expect([...progress.running.values()]).toMatchObject([{ stepId: 'b', attempt: 2 }]);
    expect(progress.retries).toBe(1);
  });

  test('items of a map run, but only the map itself counts as a step', () => {
    const progress = progressAfter(1, event('attempt-started', 'm[0]'), event('step-succeeded', 'm[0]'));
    expect(progress.settled).toBe(0);
    expect(progress.running.size).toBe(0);
    expect(itemsLine(progress)).toBe('[0/1] m: 1 items settled');
    expect(renderProgress(progress, 'w', 10, 80).join()).toContain('items 1');
    expect(progress.apply(event('step-succeeded', 'm'))).toMatchObject({ stepId: 'm', tookMs: undefined });
    expect(progress.settled).toBe(1);
    expect(renderProgress(progress, 'w', 10, 80).join()).not.toContain('items');
  });

  test('a step that is settled without the end of its attempt no longer runs', () => {
    expect(progressAfter(1, event('attempt-started', 'a'), event('step-cancelled', 'a')).running.size).toBe(0);
  });
});

describe('renderProgress', () => {
  const many = progressAfter(
    100,
    ...Array.from({ length: 40 }, (_, index) => event('attempt-started', `step-${index}`)),
  );

  test.each([20, 40, 60, 80, 200])('fits into %i columns', (columns) => {
    for (const line of renderProgress(many, 'a-workflow-with-a-rather-long-name', 61_000, columns)) {
      expect(line.length).toBeLessThanOrEqual(columns);
    }
  });

  test('shows a bar, counts, the running steps and the time', () => {
    const progress = progressAfter(
      4,
      event('step-succeeded', 'x'),
      event('step-failed', 'y'),
      event('attempt-started', 'z'),
    );
    const [first, second] = renderProgress(progress, 'order', 4200, 80);
    expect(first).toMatch(/^order █{8,}░{8,} 2\/4 {2}running 1 {2}failed 1 {2}4\.2 s$/);
    expect(second).toBe('  z');
    expect(renderProgress(many, 'order', 0, 80)[1]).toMatch(/^ {2}step-0, step-1, .* and \d+ more$/);
  });

  test('without a total there is no bar', () => {
    expect(renderProgress(progressAfter(undefined), 'order', 0, 80)).toEqual(['order 0 settled  running 0  0 ms']);
  });

  test('lets no control character through', () => {
    const progress = progressAfter(1, event('attempt-started', 'a\u001b[2Jb'));
    const text = renderProgress(progress, 'x\ny', 0, 80).join('');
    expect([text.includes('\n'), text.includes('\u001b')]).toEqual([false, false]);
  });
});

test('a plain line says which step settled, how, after what time, and why', () => {
  const progress = new RunProgress(12);
  progress.apply(event('attempt-started', 'a'));
  const succeeded = progress.apply(event('step-succeeded', 'a'))!;
  expect(settledLine(succeeded, progress)).toBe('[ 1/12] a succeeded (100 ms)');
  const skipped = progress.apply(event('step-skipped', 'b', { data: { reason: 'not-chosen' } }))!;
  expect(settledLine(skipped, progress)).toBe('[ 2/12] b skipped: not-chosen');
});

test('live lines are drawn over the last ones, and the cursor comes back', () => {
  let written = '';
  const lines = new LiveLines({ write: (text: string) => (written += text) } as never);
  lines.draw(['one', 'two']);
  lines.draw(['three']);
  lines.end();
  lines.end();
  expect(written).toBe('\u001b[?25lone\ntwo\n\u001b[2A\r\u001b[Jthree\n\u001b[?25h');
});
