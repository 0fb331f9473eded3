import type { Json } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { compileWorkflow } from './compile-workflow.ts';
import { decideLoop, firstIteration, type LoopEnd } from './decide-loop.ts';
import type { PlanMap, Scope } from './plan.ts';

const scope: Scope = { run: { id: 'r', input: null }, step: () => ({ status: 'waiting', output: null }) };

function mapOf(step: object): PlanMap {
  const each = { kind: 'task', use: 'flotilla.echo' };
  const compiled = compileWorkflow({ flotilla: 1, name: 'turns', steps: { s: { ...step, each } } });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const map = compiled.plan.steps[0]?.map;
  if (map === undefined) throw new Error('the step has no items');
  return map;
}

/** What each turn saw until the turns ended, and why they did; `outputs`: of the turns, the last one again and again. */
function takeTurns(map: PlanMap, outputs: readonly Json[]): { seen: Json[]; end: LoopEnd } {
  const seen = [firstIteration(map)];
  for (let index = 0; ; index += 1) {
    const output = outputs[Math.min(index, outputs.length - 1)] ?? null;
    const decided = decideLoop(map, scope, { index, item: seen[index] ?? null, output });
    if ('end' in decided) return { seen, end: decided.end };
    seen.push(decided.next);
  }
}

describe('a handoff', () => {
  const agents = { a: { targets: ['b'] }, b: { targets: ['a'] } };
  const map = mapOf({ kind: 'handoff', agents, start: 'a', maxHops: 3 });
  const to = (name: string, context?: Json): Json => ({
    handoff: { to: name, ...(context !== undefined && { context }) },
  });

  test.each([
    ['answers at once', ['done'], 'answer', ['a']],
    ['answers with a handoff of null', [{ handoff: null }], 'answer', ['a']],
    [
      'hands over with other contexts until its limit',
      [to('b', 1), to('a', 1), to('b', 2), to('a', 2)],
      'limit',
      ['a', 'b', 'a', 'b'],
    ],
    [
      'hands over a second time with the same',
      [to('b', { x: 1, y: 2 }), to('a'), to('b', { y: 2, x: 1 })],
      'ping-pong',
      ['a', 'b', 'a'],
    ],
  ] as const)('%s', (_what, outputs, end, path) => {
    const turns = takeTurns(map, outputs as readonly Json[]);
    expect(turns.end).toBe(end);
    expect(turns.seen.map((turn) => (turn as { agent: string }).agent)).toEqual(path);
  });

  test.each([to('c'), to('a'), { handoff: 'b' }, { handoff: [to('b')] }, { handoff: { to: ['b'] } }])(
    'is refused with %j',
    (output) => {
      expect(() => takeTurns(map, [output])).toThrow(expect.objectContaining({ code: 'TURN_REFUSED' }));
    },
  );
});

describe('a conversation', () => {
  const conversation = (more: object) =>
    mapOf({ kind: 'conversation', participants: ['a', 'b'], maxTurns: 5, maxTranscriptBytes: 256, ...more });

  test('looks at its condition before its limit', () => {
    expect(takeTurns(conversation({ until: 'turn.index == 4' }), ['x']).end).toBe('condition');
    expect(takeTurns(conversation({}), ['x']).end).toBe('limit');
  });

  test.each(['x', 'y'.repeat(60), 'ü'.repeat(60), 'z'.repeat(1000)])(
    'shows what fits of it, and counts the rest, when all say %j',
    (said) => {
      for (const turn of takeTurns(conversation({}), [said]).seen) {
        const { index, transcript, omitted } = turn as { index: number; transcript: Json[]; omitted: number };
        expect(Buffer.byteLength(JSON.stringify(transcript))).toBeLessThanOrEqual(256);
        expect(transcript.length + omitted).toBe(index);
        const longer = Buffer.byteLength(JSON.stringify([{ speaker: 'a', output: said }, ...transcript]));
        expect(omitted === 0 || longer > 256).toBe(true);
      }
    },
  );
});
