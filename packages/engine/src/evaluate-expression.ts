import { FlotillaError, type Json } from '@flotilla/contracts';
import type { ParseResult } from '@marcbachmann/cel-js';
import { bindCosts } from './bind-costs.ts';
import { bindReads, type ExpressionProblem, isPlainRead } from './bind-reads.ts';
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

export interface ExpressionNames {
  /** The steps of the workflow by id. */
  stepIndex: ReadonlyMap<string, number>;
  /** In the `each` of a map: the name of the item. */
  itemName?: string | undefined;
}

export type ExpressionCompilation =
  | { ok: true; expression: Expression /** What CEL knows of the result: `bool`, `int`, `dyn` … */; resultType: string }
  | { ok: false; problems: readonly ExpressionProblem[] };

const NOTHING = Object.freeze({});

/**
 * Compiles CEL once, for any number of evaluations. Names are `run.input`, `run.id`, `steps.<id>.output|status|error`
 * (`steps["a-b"]` for other ids) and, in a map's `each`, the item and `index`. Evaluating throws `FlotillaError`
 * `EXPRESSION_FAILED` with the source and the reason, never with data.
 */
export function compileExpression(source: string, names: ExpressionNames): ExpressionCompilation {
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
  const reads = bindReads(root, names.stepIndex, names.itemName);
  if (reads.problems.length > 0)
    return { ok: false, problems: reads.problems.map((problem) => explained(problem, source, names.stepIndex)) };
  const checked = parsed.check();
  if (!checked.valid) return { ok: false, problems: [problemOfChecking(checked.error)] };
  const patternProblem = checkLiteralPatterns(root);
  if (patternProblem !== undefined) return { ok: false, problems: [patternProblem] };
  bindCosts(root);
  const expression: Expression = {
    source,
    reads: [...reads.steps].sort((left, right) => left - right),
    readsRunInput: reads.runInput,
    evaluate: evaluator(source, parsed, isPlainRead(root)),
  };
  return { ok: true, expression, resultType: checked.type ?? 'dyn' };
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

/** The value of a condition. Error: `EXPRESSION_FAILED` when it is neither true nor false. */
export function evaluateCondition(expression: Expression, scope: Scope, budget?: EvaluationBudget): boolean {
  const value = expression.evaluate(scope, budget);
  if (typeof value !== 'boolean') throw failure(expression.source, 'a condition must be true or false');
  return value;
}

function evaluator(source: string, parsed: ParseResult, givesData: boolean): Expression['evaluate'] {
  return (scope, budget = new EvaluationBudget()) => {
    const cost = new EvaluationCost(budget);
    const { item } = scope;
    const variables = item === undefined ? NOTHING : { [item.name]: shielded(item.value), index: item.index };
    try {
      const value: unknown = withEvaluation({ scope, cost }, () => parsed(variables));
      cost.assertWithin();
      if (!givesData || value instanceof Map) return expressionResultToJson(value, budget.result);
      budget.result.chargeData(value);
      return value as Json;
    } catch (error) {
      // What a reader of stored outputs throws (DATA_CORRUPTION …) is not the expression's fault.
      if (error instanceof FlotillaError) throw error;
      throw failure(source, reasonOf(error));
    } finally {
      cost.settle();
    }
  };
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
    problem.message += '; expressions begin with run.input, run.id, steps.<id> or the name of a map item';
  }
  return problem;
}
