import { EVENT_TYPES } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EVENT_CODES } from './event-codes.ts';
import { decodeHistory } from './history-codec.ts';
import { shapeOf } from './testing/plan-shapes.ts';

const CREATED_AT = 1_700_000_000_000;
const plan = shapeOf('codec', [{ id: 'fetch' }, { id: 'notify', kind: 'map' }]);
const decode = (lines: readonly string[], before?: string) => decodeHistory(lines, 7, CREATED_AT, plan, before);

describe('stored history lines', () => {
  test('have one character for each type of event, and no two the same', () => {
    const codes = EVENT_TYPES.map((type) => EVENT_CODES[type]);
    expect(new Set(codes).size).toBe(EVENT_TYPES.length);
    for (const code of codes) expect(code).toHaveLength(1);
  });

  test('give the events back with their places, times and names', () => {
    expect(decode(['A|0', 's|12|0|1|12|attempt|worker-1', 'l|20|1.3|2|15|other|worker-2'])).toEqual([
      { seq: 7, at: CREATED_AT, type: 'run-created' },
      {
        seq: 8,
        at: CREATED_AT + 12,
        type: 'attempt-started',
        stepId: 'fetch',
        attempt: 1,
        fence: CREATED_AT + 12,
        attemptId: 'attempt',
        worker: 'worker-1',
      },
      {
        seq: 9,
        at: CREATED_AT + 20,
        type: 'attempt-lost',
        stepId: 'notify[3]',
        attempt: 2,
        fence: CREATED_AT + 15,
        attemptId: 'other',
        worker: 'worker-2',
      },
    ]);
  });

  test('keep data whole, whatever characters it has', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (message) => {
          const data = { code: 'A|B', message };
          const [event] = decode([`f|5|0|1|5|attempt||${JSON.stringify(data)}`]);
          expect(event).toEqual({
            seq: 7,
            at: CREATED_AT + 5,
            type: 'attempt-failed',
            stepId: 'fetch',
            attempt: 1,
            fence: CREATED_AT + 5,
            attemptId: 'attempt',
            data,
          });
        },
      ),
    );
  });

  test('of a success complete the event of the step from that of its attempt', () => {
    const attempt = { attempt: 1, fence: CREATED_AT + 5, attemptId: 'attempt' };
    expect(decode(['a|9|0|1|5|attempt', 'S|9|0'])[1]).toEqual({
      seq: 8,
      at: CREATED_AT + 9,
      type: 'step-succeeded',
      stepId: 'fetch',
      ...attempt,
    });
    // Across pages: the line before the first is passed.
    expect(decode(['S|9|0'], 'a|9|0|1|5|attempt')[0]).toMatchObject(attempt);
    // Not from the attempt of another step, and not when there was no attempt.
    expect(decode(['S|9|1'], 'a|9|0|1|5|attempt')[0]).toEqual({
      seq: 7,
      at: CREATED_AT + 9,
      type: 'step-succeeded',
      stepId: 'notify',
    });
    expect(decode(['S|9|0'])[0]).not.toHaveProperty('attempt');
  });

  test('of a group name its steps, up to a hundred', () => {
    expect(decode(['r|0|ge', 'r|4|g1']).map(({ stepId }) => stepId)).toEqual(['fetch', 'notify']);
    const ids = Array.from({ length: 150 }, (_, index) => ({ id: `s${index}` }));
    const wide = { ...shapeOf('wide', ids), groups: [{ members: ids.map((_, index) => index) }] };
    const [event] = decodeHistory(['r|0|ge'], 0, CREATED_AT, wide);
    expect(event?.stepId).toBeUndefined();
    expect(event?.data).toMatchObject({ count: 150 });
    expect(event?.data?.['steps']).toHaveLength(100);
  });

  test('without a plan are told with the numbers of steps', () => {
    expect(decodeHistory(['F|3|4|||||{"code":"X"}'], 0, CREATED_AT, undefined)[0]).toMatchObject({ stepId: '#4' });
    expect(decodeHistory(['r|3|g4'], 0, CREATED_AT, undefined)[0]).toEqual({
      seq: 0,
      at: CREATED_AT + 3,
      type: 'step-ready',
    });
  });

  test('of a type that nobody knows are DATA_CORRUPTION', () => {
    expect(() => decode(['?|0'])).toThrow(expect.objectContaining({ code: 'DATA_CORRUPTION' }));
  });
});
