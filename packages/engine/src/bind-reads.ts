import { didYouMean, type Json } from '@flotilla/contracts';
import { MAX_EXPRESSION_DEPTH, ROOT_NAMES } from './cel-environment.ts';
import {
  accessedOf,
  boundVariableOf,
  type CelNode,
  calledNameOf,
  identifierOf,
  isAccess,
  literalKeyOf,
  walk,
} from './cel-nodes.ts';
import { hasKey } from './compare-data.ts';
import { currentEvaluation } from './current-evaluation.ts';
import { present, shielded } from './look-up.ts';
import type { ScopeStep } from './plan.ts';
import type { ProblemCode } from './problem-codes.ts';
import { shorten } from './problem-list.ts';

export interface ExpressionProblem {
  code: ProblemCode;
  message: string;
  /** Character of the expression's source, from 0, when it is known. */
  position?: number;
  /** Of UNKNOWN_STEP: what was understood of its name. */
  unknownStep?: string;
}

/** What an expression may name. */
export interface ReadableNames {
  /** The steps of the workflow by id. */
  stepIndex: ReadonlyMap<string, number>;
  /** In the `each` of a map: the name of the item. */
  itemName?: string | undefined;
  /** What the item has, when that is known. */
  itemFields?: readonly string[] | undefined;
}

/** What the source of an expression says about what it reads. */
export interface ExpressionReads {
  steps: Set<number>;
  runInput: boolean;
  problems: ExpressionProblem[];
}

const RUN_FIELDS: ReadonlySet<string> = new Set(['input', 'id', 'startedAt']);
const STEP_FIELDS: ReadonlySet<string> = new Set(['output', 'status', 'error', 'failures']);

/**
 * Finds what an expression reads, and binds those places of its tree to the scope of the evaluation that is going on:
 * `run.input` and `steps.<id>.output` are asked for when they are evaluated, and nothing else is. Runs before the
 * library checks the tree.
 */
export function bindReads(root: CelNode, { stepIndex, itemName, itemFields }: ReadableNames): ExpressionReads {
  const reads: ExpressionReads = { steps: new Set(), runInput: false, problems: [] };
  const taken = new Set<string>([...ROOT_NAMES, ...(itemName === undefined ? [] : [itemName, 'index'])]);
  const explained = new Set<CelNode>();
  for (const { node, depth } of walk(root)) {
    if (depth > MAX_EXPRESSION_DEPTH) {
      reads.problems.push({ code: 'EXPRESSION_TOO_COMPLEX', message: `nested deeper than ${MAX_EXPRESSION_DEPTH}` });
      return reads;
    }
    const variable = boundVariableOf(node);
    const variableName = variable === undefined ? undefined : identifierOf(variable);
    if (variable !== undefined && variableName !== undefined && taken.has(variableName)) {
      explained.add(variable);
      const message = `the variable cannot be named ${variableName}, which means something else here`;
      reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: variable.start });
    }
    if (itemFields !== undefined && isAccess(node) && identifierOf(accessedOf(node)) === itemName) {
      checkItemField(node, itemFields, reads);
    }
    if (isAccess(node)) bindAccess(node, stepIndex, reads, explained);
    else if (calledNameOf(node) === 'has') bindHas(node);
    else if (node.op === '?:') letBranchesDiffer(node);
    const name = identifierOf(node);
    if ((name === 'run' || name === 'steps') && !explained.has(node)) {
      const message =
        name === 'run' ? 'run must be followed by .input or .id' : 'steps must be followed by the id of a step';
      reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
    }
  }
  return reads;
}

/** True when evaluating gives a piece of the data itself, which is JSON already. */
export function isPlainRead(root: CelNode): boolean {
  let node = root;
  while (isAccess(node) && literalKeyOf(node) !== undefined) node = accessedOf(node);
  // The checker gives the library's own constants (`int`, `google` …) an alternate.
  return node.op === 'id' && node.meta.alternate === undefined;
}

function bindAccess(
  node: CelNode,
  stepIndex: ReadonlyMap<string, number>,
  reads: ExpressionReads,
  explained: Set<CelNode>,
): void {
  const accessed = accessedOf(node);
  const key = literalKeyOf(node);
  const name = identifierOf(accessed);
  if (name === 'run') {
    explained.add(accessed);
    bindRun(node, key, reads);
  } else if (name === 'steps') {
    explained.add(accessed);
    bindStep(node, key, stepIndex, reads);
  } else if (isAccess(accessed) && identifierOf(accessedOf(accessed)) === 'steps') {
    bindStepField(node, key, literalKeyOf(accessed), stepIndex, reads);
  }
}

function checkItemField(node: CelNode, fields: readonly string[], reads: ExpressionReads): void {
  const key = literalKeyOf(node);
  if (key === undefined || fields.includes(key)) return;
  const message = `there is no ${shorten(key)}, only ${fields.join(', ')}${didYouMean(key, fields)}`;
  reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
}

function bindRun(node: CelNode, key: string | undefined, reads: ExpressionReads): void {
  if (key === undefined || !RUN_FIELDS.has(key)) {
    const message = `run has input and id, not ${key === undefined ? 'a computed field' : shorten(key)}`;
    reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
    return;
  }
  if (key === 'input') reads.runInput = true;
  node.evaluate = () => {
    const run = currentEvaluation().scope.run;
    if (key === 'input') return shielded(run.input ?? null);
    return present(key === 'id' ? run.id : run.startedAt, key);
  };
}

function bindStep(
  node: CelNode,
  key: string | undefined,
  stepIndex: ReadonlyMap<string, number>,
  reads: ExpressionReads,
): void {
  const index = key === undefined ? undefined : stepIndex.get(key);
  if (key === undefined) {
    const message = 'which step is read must be written out: steps.<id> or steps["<id>"]';
    reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
  } else if (index === undefined) {
    const message = `there is no step ${shorten(key)}`;
    reads.problems.push({ code: 'UNKNOWN_STEP', message, position: node.start, unknownStep: key });
  } else {
    reads.steps.add(index);
    node.evaluate = () => visibleStep(currentEvaluation().scope.step(index));
  }
}

function bindStepField(
  node: CelNode,
  key: string | undefined,
  stepId: string | undefined,
  stepIndex: ReadonlyMap<string, number>,
  reads: ExpressionReads,
): void {
  if (key === undefined || !STEP_FIELDS.has(key)) {
    const message = `a step has output, status, error and failures, not ${key === undefined ? 'a computed field' : shorten(key)}`;
    reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
    return;
  }
  const index = stepId === undefined ? undefined : stepIndex.get(stepId);
  if (index === undefined) return;
  node.evaluate = () => {
    const step = currentEvaluation().scope.step(index);
    if (key === 'output') return shielded(step.output ?? null);
    if (key === 'failures') return shielded((step.failures ?? []) as unknown as Json);
    return present(key === 'status' ? step.status : step.error, key);
  };
}

function visibleStep(step: ScopeStep): Record<string, unknown> {
  const visible = { status: step.status, output: shielded(step.output ?? null) };
  return step.error === undefined ? visible : { ...visible, error: step.error };
}

/** `has(a.b)` and, for ids that are no identifiers, `has(a["b"])`: whether the key is there; `a` itself must be. */
function bindHas(node: CelNode): void {
  const macro = node.meta.macro;
  const access = (node.args as [string, CelNode[]])[1][0];
  if (macro === undefined || access === undefined || !isAccess(access)) return;
  const key = literalKeyOf(access);
  const holder = accessedOf(access);
  if (key === undefined) return;
  macro.typeCheck = (checker, _macro, context) => {
    checker.check(holder, context);
    return checker.boolType;
  };
  const root = identifierOf(holder);
  macro.evaluate = (evaluator, _macro, context) => {
    if (root === 'run') return key !== 'startedAt' || currentEvaluation().scope.run.startedAt !== undefined;
    if (root === 'steps') return true;
    const value = evaluator.run(holder, context);
    return hasKey(value, key);
  };
}

/** JSON users expect `c ? 1 : 2.5` and `c ? "a" : null` to work: branches of different types make a dynamic one. */
function letBranchesDiffer(node: CelNode): void {
  const check = node.meta.check;
  node.meta.check = (checker, checked, context) => {
    try {
      return check(checker, checked, context);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'incompatible_ternary_branches') return checker.dynType;
      throw error;
    }
  };
}
