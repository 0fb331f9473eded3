import { FlotillaError, type Json } from '@flotilla/contracts';
import type { ParseResult } from '@marcbachmann/cel-js';
import { LRUCache } from 'lru-cache';
import { bindCosts } from './bind-costs.ts';
import {
  bindReads,
  type ExpressionProblem,
  type ExpressionReads,
  isPlainRead,
  type ReadableNames,
} from './bind-reads.ts';
import { celEnvironment, MAX_EXPRESSION_CHARACTERS } from './cel-environment.ts';
import { rootOf } from './cel-nodes.ts';
import { withEvaluation } from './current-evaluation.ts';
import { EvaluationBudget } from './evaluation-budget.ts';
import { explainUnreadableStep } from './explain-unknown-step.ts';
import { EvaluationCost, EvaluationFault } from './expression-cost.ts';
import { expressionResultToJson } from './expression-result.ts';
import { checkLiteralPatterns } from './linear-regex.ts';
import { shielded } from './look-up.ts';
import type { Expression, Scope } from './plan.ts';
import { shorten } from './problem-list.ts';

export type ExpressionNames = ReadableNames;

export type ExpressionCompilation =
  | { ok: true; expression: Expression /** What CEL knows of the result: `bool`, `int`, `dyn` … */; resultType: string }
  | { ok: false; problems: readonly ExpressionProblem[] };

const NOTHING = Object.freeze({});
const NOTHING_READ: readonly number[] = Object.freeze([]);

/**
 * Compiles CEL once, for any number of evaluations. Names are `run.input`, `run.id`, `steps.<id>.output|status|error`
 * (`steps["a-b"]` for other ids) and, in a map's `each`, the item and `index`. Evaluating throws `FlotillaError`
 * `EXPRESSION_FAILED` with the source and the reason, never with data.
 */
export function compileExpression(source: string, names: ExpressionNames): ExpressionCompilation {
  const prepared = prepare(source, names);
  if (!prepared.ok) return prepared;
  const { reads, patternCost, resultType } = prepared;
  const expression = new LazyExpression(source, names, reads, patternCost);
  return { ok: true, expression, resultType };
}

interface Prepared extends Compiled {
  ok: true;
  reads: ExpressionReads;
  patternCost: number;
  resultType: string;
}

/** What evaluating takes. Much larger than the source. */
interface Compiled {
  parsed: ParseResult;
  /** Evaluating gives a piece of the data itself. */
  givesData: boolean;
}

function prepare(source: string, names: ExpressionNames): Prepared | (ExpressionCompilation & { ok: false }) {
  if (source.length > MAX_EXPRESSION_CHARACTERS) {
    const message = `longer than ${MAX_EXPRESSION_CHARACTERS} characters`;
    return { ok: false, problems: [{ code: 'EXPRESSION_TOO_COMPLEX', message }] };
  }
  let parsed: ParseResult;
  try {
    parsed = celEnvironment(names.itemName).parse(source);
  } catch (error) {
    return { ok: false, problems: [problemOfParsing(error)] };
  }
  const root = rootOf(parsed);
  const reads = bindReads(root, names);
  if (reads.problems.length > 0)
    return { ok: false, problems: reads.problems.map((problem) => explained(problem, source, names.stepIndex)) };
  const checked = parsed.check();
  if (!checked.valid) return { ok: false, problems: [problemOfChecking(checked.error)] };
  const patterns = checkLiteralPatterns(root);
  if (!patterns.ok) return { ok: false, problems: [patterns.problem] };
  bindCosts(root);
  const resultType = checked.type ?? 'dyn';
  return { ok: true, parsed, givesData: isPlainRead(root), reads, patternCost: patterns.cost, resultType };
}

/** What is known of a step that is not there is in the text, too: `steps.check-credit` is a subtraction only to CEL. */
function explained(
  problem: ExpressionProblem,
  source: string,
  stepIndex: ReadonlyMap<string, number>,
): ExpressionProblem {
  const name = problem.code === 'UNKNOWN_STEP' ? problem.unknownStep : undefined;
  if (name === undefined) return problem;
  return { ...problem, message: explainUnreadableStep(name, source.slice(problem.position ?? 0), stepIndex) };
}

/** Sixty to a hundred times its source is what a compiled expression was measured to take. */
const BYTES_PER_CHARACTER = 100;
const BYTES_PER_EXPRESSION = 3000;
/** Compiled expressions are remembered up to this, over all plans of the process. */
const MAX_COMPILED_BYTES = 67_108_864;

const compiledExpressions = new LRUCache<LazyExpression, Compiled>({
  maxSize: MAX_COMPILED_BYTES,
  sizeCalculation: (_, { source }) => BYTES_PER_EXPRESSION + source.length * BYTES_PER_CHARACTER,
});

/**
 * An expression that was checked, and is compiled again when it is evaluated and no longer remembered: a plan holds sources,
 * so that twenty thousand conditions take what their text takes.
 */
class LazyExpression implements Expression {
  readonly source: string;
  readonly reads: readonly number[];
  readonly readsRunInput: boolean;
  readonly patternCost: number;
  readonly #names: ExpressionNames;

  constructor(source: string, names: ExpressionNames, reads: ExpressionReads, patternCost: number) {
    this.source = source;
    this.#names = names;
    this.reads = reads.steps.size === 0 ? NOTHING_READ : [...reads.steps].sort((left, right) => left - right);
    this.readsRunInput = reads.runInput;
    this.patternCost = patternCost;
  }

  prepare(): void {
    this.#compiled();
  }

  evaluate(scope: Scope, budget = new EvaluationBudget()): Json {
    const cost = new EvaluationCost(budget);
    const { item } = scope;
    const variables = item === undefined ? NOTHING : { [item.name]: shielded(item.value), index: item.index };
    try {
      cost.charge(this.patternCost);
      const { parsed, givesData } = this.#compiled();
      const value: unknown = withEvaluation({ scope, cost }, () => parsed(variables));
      cost.assertWithin();
      if (!givesData || value instanceof Map) return expressionResultToJson(value, budget.result);
      budget.result.chargeData(value);
      return value as Json;
    } catch (error) {
      // What a reader of stored outputs throws (DATA_CORRUPTION …) is not the expression's fault.
      if (error instanceof FlotillaError) throw error;
      throw failure(this.source, reasonOf(error));
    } finally {
      cost.settle();
    }
  }

  #compiled(): Compiled {
    let compiled = compiledExpressions.get(this);
    if (compiled === undefined) {
      const prepared = prepare(this.source, this.#names);
      if (!prepared.ok) throw new EvaluationFault('it no longer compiles');
      compiled = { parsed: prepared.parsed, givesData: prepared.givesData };
      compiledExpressions.set(this, compiled);
    }
    return compiled;
  }
}

/** Compiles expressions for their evaluation, one a piece. */
export function* prepareInPieces(expressions: readonly Expression[]): Generator<void, void> {
  for (const expression of expressions) {
    expression.prepare();
    yield;
  }
}

/** The value of a condition. Error: `EXPRESSION_FAILED` when it is neither true nor false. */
export function evaluateCondition(expression: Expression, scope: Scope, budget?: EvaluationBudget): boolean {
  const value = expression.evaluate(scope, budget);
  if (typeof value !== 'boolean') throw failure(expression.source, 'a condition must be true or false');
  return value;
}

function failure(source: string, reason: string): FlotillaError {
  return new FlotillaError('EXPRESSION_FAILED', `the expression ${shorten(source, 200)} failed: ${reason}`);
}

/** Reasons of the library whose text holds types and names of functions only. */
const SAFE_SUMMARIES: ReadonlySet<string> = new Set([
  'no_such_overload',
  'no_matching_overload',
  'invalid_condition_type',
  'invalid_logical_operand',
  'invalid_comprehension_range',
  'division_by_zero',
  'modulo_by_zero',
]);

function reasonOf(error: unknown): string {
  if (error instanceof EvaluationFault) return error.message;
  const { code, summary } = error as { code?: unknown; summary?: unknown };
  if (typeof code !== 'string') return 'it could not be evaluated';
  if (SAFE_SUMMARIES.has(code) && typeof summary === 'string') return shorten(summary, 300);
  return code.replaceAll('_', ' ');
}

function problemOfParsing(error: unknown): ExpressionProblem {
  const { code, summary, range } = error as { code?: unknown; summary?: unknown; range?: { start?: unknown } };
  const problem: ExpressionProblem = {
    code: code === 'limit_exceeded' ? 'EXPRESSION_TOO_COMPLEX' : 'EXPRESSION_INVALID',
    message: typeof summary === 'string' ? shorten(summary, 300) : 'does not parse',
  };
  if (typeof range?.start === 'number') problem.position = range.start;
  return problem;
}

function problemOfChecking(error: unknown): ExpressionProblem {
  const problem = problemOfParsing(error);
  if ((error as { code?: unknown }).code === 'unknown_variable') {
    problem.message += /\bsecrets\b/.test(problem.message)
      ? '; a secret stands in the url, headers or body of an http step, in a ${{ secrets.NAME }} of its own, its name in capitals'
      : '; expressions begin with run.input, run.id, steps.<id> or the name of a map item';
  }
  return problem;
}
