import { STEP_STATUSES } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HeaderState } from './format.ts';
import { HEADER_STATUS, parseStepHeader } from './step-header.ts';

const CREATED_AT = 1_700_000_000_000;

describe('a step header', () => {
  test('of a running attempt tells who makes it, since when and under which fence', () => {
    expect(parseStepHeader('R|1|2|30|attempt|worker-1|20|30|4|60030', CREATED_AT)).toMatchObject({
      state: 'R',
      failures: 1,
      crashes: 2,
      fence: CREATED_AT + 30,
      attemptId: 'attempt',
      worker: 'worker-1',
      firstAt: CREATED_AT + 20,
      startedAt: CREATED_AT + 30,
      endedAt: undefined,
      checkpoint: undefined,
      reason: undefined,
      dueAt: undefined,
    });
  });

  test('of a success has its checkpoint', () => {
    const header = parseStepHeader('S|0|0|30|attempt|worker-1|20|30|45|44|2|check_sum-1|previous', CREATED_AT);
    expect(header).toMatchObject({ state: 'S', endedAt: CREATED_AT + 45 });
    expect(header.checkpoint).toEqual({
      ts: CREATED_AT + 44,
      seq: 2,
      checksum: 'check_sum-1',
      previous: 'previous',
    });
  });

  test.each([
    [
      'S|0|0|||||20|20|20|1|sum|',
      { state: 'S', fence: undefined, checkpoint: { seq: 1, checksum: 'sum', previous: '' } },
    ],
    ['S|0|0|||||20|20|', { state: 'S', checkpoint: undefined }],
    ['B|2|0|30|attempt|worker-1|20|30|40|9000', { state: 'B', dueAt: CREATED_AT + 9000, reason: undefined }],
    ['D|0|0|0|||20|20||9000', { state: 'D', dueAt: CREATED_AT + 9000, endedAt: undefined }],
    ['Y|1|1|30|||20|30', { state: 'Y', fence: CREATED_AT + 30, attemptId: '', worker: '' }],
    ['P|0|0|||||||no-handler', { state: 'P', reason: 'no-handler', firstAt: undefined }],
    ['X|1|0|30|attempt|worker-1|20|30|40|run-ending', { state: 'X', reason: 'run-ending' }],
    ['K|0|0||||20|20|20|when-false', { state: 'K', reason: 'when-false', endedAt: CREATED_AT + 20 }],
    ['F|3|0|30|attempt|worker-1|20|30|40', { state: 'F', failures: 3, reason: undefined, checkpoint: undefined }],
    ['Q|0|4|30|attempt|worker-1|20|30|40', { state: 'Q', crashes: 4 }],
  ])('%s is read by the layout of its state', (stored, expected) => {
    expect(parseStepHeader(stored, CREATED_AT)).toMatchObject(expected);
  });

  test('of a map counts its items, whether it runs, has succeeded or has failed', () => {
    expect(parseStepHeader('M|9|5|2|1|4|3|20', CREATED_AT)).toMatchObject({
      state: 'M',
      startedAt: CREATED_AT + 20,
      endedAt: undefined,
      map: { items: 9, next: 5, succeeded: 2, failed: 1 },
    });
    expect(parseStepHeader('F|0|0|0|||20|20|50|9|5|2|3', CREATED_AT)).toMatchObject({
      state: 'F',
      endedAt: CREATED_AT + 50,
      map: { items: 9, next: 5, succeeded: 2, failed: 3 },
    });
    expect(parseStepHeader('V|9|1|20|50', CREATED_AT)).toMatchObject({
      state: 'V',
      startedAt: CREATED_AT + 20,
      endedAt: CREATED_AT + 50,
      map: { items: 9, next: 9, succeeded: 8, failed: 1 },
    });
  });

  test('stands for a status that users know', () => {
    for (const status of Object.values(HEADER_STATUS)) expect(STEP_STATUSES).toContain(status);
  });

  test('gives times and fences back that were stored as offsets', () => {
    const offset = fc.nat({ max: 31_536_000_000 });
    const state = fc.constantFrom<HeaderState>('R', 'B', 'Y', 'F', 'Q', 'X');
    fc.assert(
      fc.property(
        state,
        offset,
        offset,
        offset,
        fc.nat(1000),
        fc.nat(1000),
        (letter, fence, first, start, failures, crashes) => {
          const stored = [letter, failures, crashes, fence, 'attempt', 'worker', first, start].join('|');
          expect(parseStepHeader(stored, CREATED_AT)).toMatchObject({
            state: letter,
            failures,
            crashes,
            fence: CREATED_AT + fence,
            firstAt: CREATED_AT + first,
            startedAt: CREATED_AT + start,
          });
        },
      ),
    );
  });
});
