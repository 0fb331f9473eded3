import { isFlotillaError, type Json, JsonTextError, parseJsonTextInPieces } from '@flotilla/contracts';
import {
  canonicalJson,
  compileInPieces,
  compileTemplate,
  type Plan,
  prepareInPieces,
  type Scope,
} from '@flotilla/engine';
import { InputSchemas } from '@flotilla/scheduler';
import { Pieces } from './pieces.ts';
import { RandomCases } from './random-cases.ts';

/**
 * Run by `costly-submissions.test.ts` in a process of its own, where nothing but the work is measured:
 * `node --expose-gc run.ts SEED SECONDS`. Prints the worst of each kind, and each case that held the loop or the heap.
 */
const [seed = 1, seconds = 5] = process.argv.slice(2).map(Number);
const schemas = new InputSchemas();
const KINDS: Record<string, (cases: RandomCases, pieces: Pieces) => void | Promise<void>> = {
  'a body': (cases, pieces) => readBody(cases, pieces),
  'a definition': (cases, pieces) => void pieces.runToEnd(compileInPieces(cases.definition(5000), { remember: false })),
  'an evaluation': (cases, pieces) => evaluate(cases, pieces),
  'a schema': (cases, pieces) => checkSchema(cases, pieces),
};

function readBody(cases: RandomCases, pieces: Pieces): void {
  const text = JSON.stringify({ input: cases.json(cases.upTo(8_000_000)) });
  try {
    pieces.runToEnd(parseJsonTextInPieces(text));
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
  }
}

function evaluate(cases: RandomCases, pieces: Pieces): void {
  const source = `\${{ ${cases.expression()} }}`;
  const value = cases.pick<Json>([
    source,
    [source, 'and ${{ run.input.data }}'],
    Array.from({ length: 500 }, () => source),
  ]);
  const compiled = compileTemplate(value, { stepIndex: new Map([['a', 0]]) });
  if (!compiled.ok) return;
  const input = inputOf(cases);
  const output = cases.json(cases.upTo(262_144));
  const scope: Scope = { run: { id: 'r', input }, step: () => ({ status: 'succeeded', output }) };
  try {
    pieces.runToEnd(prepareInPieces(compiled.template.expressions));
    const result = pieces.measure(() => compiled.template.resolve(scope));
    pieces.look();
    pieces.measure(() => canonicalJson(result));
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
  }
}

function inputOf(cases: RandomCases): Json {
  const halves = 'a'.repeat(20_000);
  return {
    data: cases.json(100_000),
    list: Array.from({ length: cases.pick([10, 1000, 20_000]) }, (_, index) => index),
    text: cases.pick(['a'.repeat(80_000), '1'.repeat(80_000), 'é'.repeat(40_000)]),
    needle: cases.pick(['x', `${halves}b${halves}`, 'a'.repeat(300)]),
    pattern: cases.pattern(),
  };
}

async function checkSchema(cases: RandomCases, pieces: Pieces): Promise<void> {
  const compiled = pieces.runToEnd(
    compileInPieces(
      { flotilla: 1, name: 's', input: cases.schema(), steps: { a: { kind: 'delay', forMs: 1 } } },
      { remember: false },
    ),
  );
  if (!compiled.ok) return;
  const plan: Plan = compiled.plan;
  // Each is one piece: `loopTurns.run` begins it in this turn or a later one.
  await measureLater(pieces, () => schemas.schemaProblems(plan, { remember: true }));
  const input = cases.json(cases.upTo(262_144));
  await measureLater(pieces, () => schemas.check(plan, input, JSON.stringify(input).length));
}

async function measureLater(pieces: Pieces, work: () => Promise<unknown>): Promise<void> {
  // A turn that nothing was done in, so that the work is not put off.
  await new Promise((resolve) => setImmediate(resolve));
  let done: Promise<unknown> | undefined;
  pieces.measure(() => {
    done = work();
  });
  await done;
}

const worst: Record<string, { ms: number; heapMb: number; cases: number }> = {};
const endsAt = performance.now() + seconds * 1000;
let violations = 0;
/** Evaluations are short, and many of them are refused when they are compiled. */
const ROUND = [...Object.entries(KINDS), ...Array.from({ length: 30 }, () => ['an evaluation', evaluate] as const)];
for (let index = 0; performance.now() < endsAt; ) {
  for (const [kind, run] of ROUND) {
    index += 1;
    const caseSeed = (seed + index * 7919) >>> 0;
    const pieces = new Pieces();
    await run(new RandomCases(caseSeed), pieces);
    pieces.look();
    const known = worst[kind] ?? { ms: 0, heapMb: 0, cases: 0 };
    const heapMb = Math.round(pieces.worstHeapBytes / 1_048_576);
    worst[kind] = {
      ms: Math.max(known.ms, Math.round(pieces.worstMs)),
      heapMb: Math.max(known.heapMb, heapMb),
      cases: known.cases + 1,
    };
    if (!pieces.timedOut && !pieces.holdsTooMuch) continue;
    violations += 1;
    console.log(
      `VIOLATION ${kind}, seed ${caseSeed}: ${Math.round(pieces.worstMs)} ms in one piece, heap ${heapMb} MB`,
    );
  }
}
console.log(`seed ${seed}, ${seconds} s: ${JSON.stringify(worst)}`);
process.exitCode = violations > 0 ? 1 : 0;
