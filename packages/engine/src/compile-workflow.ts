import {
  findJsonProblemInPieces,
  type Json,
  type JsonLimits,
  MAX_STEPS,
  type Problem,
  runToEnd,
  type WorkflowDefinition,
} from '@flotilla/contracts';
import { buildPlan } from './build-plan.ts';
import { copyCanonically } from './canonical-copy.ts';
import { sha256Hex } from './canonical-json.ts';
import { checkForm, stepPointer } from './check-form.ts';
import { checkDeclaredCost, checkStepCount } from './check-limits.ts';
import { findReadsNotUpstream } from './check-upstream-reads.ts';
import { type CompiledStep, StepCompiler } from './compile-step.ts';
import { findCycles } from './find-cycles.ts';
import { findUnreachable } from './find-unreachable.ts';
import { isLegacyDocument, migrateLegacy } from './migrate-legacy.ts';
import { orderSteps, type StepOrder } from './order-steps.ts';
import type { Plan } from './plan.ts';
import { PlanCache } from './plan-cache.ts';
import type { ProblemCode } from './problem-codes.ts';
import { ProblemList, shorten } from './problem-list.ts';
import { readStepGraph, renumberByDepth, type StepGraph } from './step-graph.ts';

export const DEFAULT_MAX_DEPTH = 1000;
/** Inline child workflows inside one another. */
const MAX_NESTING = 8;

/** Bounds of a definition; a run's input has its own. */
export const DEFINITION_LIMITS: JsonLimits = { maxDepth: 64, maxBytes: 8_388_608, maxKeys: 2_000_000 };

export interface CompileOptions {
  /** Longest chain of steps. Default 1000. */
  maxDepth?: number;
  /** Where compiled plans are remembered. Default: one cache for the process. */
  cache?: PlanCache;
  /** How many workflows this one is inside of, as the inline definition of a `workflow` step. Default 0. */
  nesting?: number;
  /** False: leaves nothing behind. Default true. */
  remember?: boolean;
}

export type Compilation =
  | { ok: true; plan: Plan; warnings: readonly Problem[] }
  | { ok: false; problems: readonly Problem[] };

type Document = { [key: string]: Json };

const processCache = new PlanCache();

/**
 * Compiles a definition, or a legacy document, into a plan. All problems are told at once, with JSON pointers into what
 * was given. The same content gives the same plan (remembered by content, never by name or shape). Never throws.
 */
export function compileWorkflow(document: unknown, options: CompileOptions = {}): Compilation {
  return runToEnd(compileInPieces(document, options));
}

/** The same in pieces of some milliseconds, for who has others to serve: a large definition takes seconds. */
export function* compileInPieces(document: unknown, options: CompileOptions = {}): Generator<void, Compilation> {
  const jsonProblem = yield* findJsonProblemInPieces(document, DEFINITION_LIMITS);
  if (jsonProblem !== undefined) {
    const { code, path, message } = jsonProblem;
    return { ok: false, problems: [{ code, path: shorten(path, 1000), message }] };
  }
  if (!isDocument(document)) {
    return { ok: false, problems: [{ code: 'WRONG_TYPE', path: '', message: 'a workflow is a JSON object' }] };
  }
  if (!isLegacyDocument(document)) return yield* compileDefinition(document, new ProblemList(), options);
  const migration = migrateLegacy(document);
  if (!migration.ok) return migration;
  yield;
  const problems = new ProblemList(migration.originOf);
  const compiled = yield* compileDefinition(migration.definition as Document, problems, options);
  if (compiled.ok) return { ...compiled, warnings: [...migration.warnings, ...compiled.warnings] };
  return { ok: false, problems: [...compiled.problems, ...migration.warnings] };
}

function* compileDefinition(
  given: Document,
  problems: ProblemList,
  options: CompileOptions,
): Generator<void, Compilation> {
  const { maxDepth = DEFAULT_MAX_DEPTH, cache = processCache, remember = true } = options;
  // A copy, in the order of the canonical form: a plan outlives the call and is the same for the same content.
  const source = yield* copyCanonically(given);
  const { text: canonicalText, copy } = source;
  const hash = sha256Hex(canonicalText);
  const known = cache.get(hash, canonicalText, maxDepth);
  if (known !== undefined) {
    for (const { code, path, message } of known.warnings) problems.warning(code as ProblemCode, path, message);
    return { ok: true, plan: known.plan, warnings: problems.warnings };
  }
  const form = yield* checkForm(given, problems);
  const steps = isDocument(given['steps']) ? given['steps'] : undefined;
  if (steps === undefined) return { ok: false, problems: problems.all() };
  const budget = isDocument(given['budget']) ? given['budget'] : {};
  const stepCount = Object.keys(steps).length;
  checkStepCount(stepCount, budget['maxSteps'], problems);
  if (stepCount > MAX_STEPS) return { ok: false, problems: problems.all() };
  const asRead = yield* readStepGraph(steps, problems);
  yield;
  const order = orderSteps(asRead);
  yield;
  const cycles = findCycles(asRead, order);
  for (const cycle of cycles) reportCycle(cycle, asRead, problems);
  const depth = order.depths.reduce((longest, next) => Math.max(longest, next), 0);
  if (depth > maxDepth) reportDepth(depth, maxDepth, asRead, order, problems);

  yield;
  const graph = cycles.length === 0 ? yield* renumberByDepth(asRead, order.depths) : asRead;
  // By depth, each step comes after its parents.
  const sorted = [...graph.ids.keys()];
  const definition = copy as unknown as WorkflowDefinition;
  const approvals = new Set(
    Object.entries(definition.steps).flatMap(([id, { kind }]) => (kind === 'approval' ? [id] : [])),
  );
  const compiler = new StepCompiler(graph, problems, {
    approvals,
    channels: definition.channels ?? {},
    compileChild: (child) => compileChild(child, options),
  });
  const compiled: (CompiledStep | undefined)[] = [];
  for (const [index, id] of graph.ids.entries()) {
    compiled.push(form.unusableSteps.has(id) ? undefined : yield* compiler.compile(index, definition.steps[id]!));
    yield;
  }
  const output = definition.output === undefined ? undefined : yield* compiler.compileOutput(definition.output);
  yield;
  if (cycles.length === 0) checkReads(compiler, graph, sorted, problems);
  if (form.ok) checkDeclaredCost(definition, problems);
  if (problems.errors.length > 0) return { ok: false, problems: problems.all() };

  yield;
  const warnings = unreachableWarnings(definition, graph, sorted);
  for (const { code, path, message } of warnings) problems.warning(code as ProblemCode, path, message);
  yield;
  const usable = compiled.filter((step) => step !== undefined);
  const plan = buildPlan({ hash, source, definition, graph, depth, compiled: usable, output });
  if (remember) cache.set(canonicalText, { plan, warnings });
  return { ok: true, plan, warnings: problems.warnings };
}

/** The inline definition of a `workflow` step is compiled with its parent, so that all of its problems are told at once. */
function* compileChild(definition: unknown, options: CompileOptions): Generator<void, Compilation> {
  const nesting = (options.nesting ?? 0) + 1;
  if (nesting > MAX_NESTING) {
    const message = `workflows are nested deeper than ${MAX_NESTING} levels`;
    return { ok: false, problems: [{ code: 'DEPTH_LIMIT', path: '', message }] };
  }
  return yield* compileInPieces(definition, { ...options, nesting });
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** So many steps of a long circle or chain are spelled out. */
const MAX_SPELLED_STEPS = 20;

function reportCycle(cycle: readonly number[], graph: StepGraph, problems: ProblemList): void {
  const ids = cycle.map((step) => shorten(graph.ids[step]!, 64));
  const spelled = spell([...ids, ids[0]!]);
  const message = cycle.length === 1 ? `the step needs itself: ${spelled}` : `the steps need each other: ${spelled}`;
  problems.error('CYCLE', stepPointer(graph.ids[cycle[0]!]!), message);
}

function spell(ids: readonly string[]): string {
  if (ids.length <= MAX_SPELLED_STEPS) return ids.join(' -> ');
  const half = MAX_SPELLED_STEPS / 2;
  const hidden = ids.length - MAX_SPELLED_STEPS;
  return [...ids.slice(0, half), `… ${hidden} more …`, ...ids.slice(-half)].join(' -> ');
}

function reportDepth(depth: number, maxDepth: number, graph: StepGraph, order: StepOrder, problems: ProblemList): void {
  const last = graph.ids[order.depths.indexOf(depth)]!;
  const message = `the longest chain has ${depth} steps and ends in ${shorten(last)}; the limit is ${maxDepth}`;
  problems.error('DEPTH_LIMIT', stepPointer(last), message);
}

function checkReads(compiler: StepCompiler, graph: StepGraph, sorted: readonly number[], problems: ProblemList): void {
  for (const { reader, read, path } of findReadsNotUpstream(compiler.reads, graph, sorted)) {
    const message =
      reader === read
        ? 'a step cannot read itself'
        : `${shorten(graph.ids[reader]!)} reads ${shorten(graph.ids[read]!)}, which it does not need, directly or through others`;
    problems.error('EXPRESSION_NOT_UPSTREAM', path, message);
  }
}

function unreachableWarnings(definition: WorkflowDefinition, graph: StepGraph, sorted: readonly number[]): Problem[] {
  return findUnreachable(definition, graph, sorted).map((step) => ({
    code: 'UNREACHABLE_STEP',
    path: stepPointer(graph.ids[step]!),
    message: `no input can make ${shorten(graph.ids[step]!)} run`,
  }));
}
