import { describe, expect, test } from '@jest/globals';
import {
  attemptSpanIdOf,
  formatTraceparent,
  parseTraceparent,
  runSpanIdOf,
  traceIdOf,
  traceparentUnder,
} from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
  ])('%s is understood', (text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  test.each([
    '',
    'nonsense',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01\nx: y`,
  ])('%j is ignored', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  test('is written as it was read', () => {
    const text = `00-${TRACE}-${SPAN}-01`;
    expect(formatTraceparent(parseTraceparent(text)!)).toBe(text);
  });
});

describe('ids of a run', () => {
  test('are legal, the same in every process, and differ between runs, openings and attempts', () => {
    const ids = [traceIdOf('run-1'), traceIdOf('run-2')];
    for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(2);
    const spans = [runSpanIdOf('run-1'), runSpanIdOf('run-1', 2), runSpanIdOf('run-2'), attemptSpanIdOf('run-1')];
    for (const id of spans) expect(id).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
    expect(new Set(spans).size).toBe(4);
    expect(runSpanIdOf('run-1', 1)).toBe(runSpanIdOf('run-1'));
  });

  test('go down to child runs, in the trace of the caller where there is one', () => {
    expect(parseTraceparent(traceparentUnder('run-1', `00-${TRACE}-${SPAN}-00`))).toEqual({
      ...{ traceId: TRACE, spanId: runSpanIdOf('run-1'), isSampled: false },
    });
    expect(parseTraceparent(traceparentUnder('run-1', undefined))).toEqual({
      ...{ traceId: traceIdOf('run-1'), spanId: runSpanIdOf('run-1'), isSampled: true },
    });
  });
});
