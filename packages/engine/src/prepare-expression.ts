import { MAX_EXPRESSION_DEPTH, ROOT_NAMES } from './cel-environment.ts';
import {
  accessedOf,
  boundVariableOf,
  type CelComprehension,
  type CelEvaluate,
  type CelNode,
  calledNameOf,
  comprehensionOf,
  identifierOf,
  isAccess,
  literalKeyOf,
  walk,
} from './cel-nodes.ts';
import { currentEvaluation } from './current-evaluation.ts';
import { type EvaluationCost, EvaluationFault } from './expression-cost.ts';
import { matchesPattern } from './linear-regex.ts';
import type { ScopeStep } from './plan.ts';
import type { ProblemCode } from './problem-codes.ts';
import { shorten } from './problem-list.ts';

export interface ExpressionProblem {
  code: ProblemCode;
  message: string;
  /** Character of the expression's source, from 0, when it is known. */
  position?: number;
}

/** What the source of an expression says about what it reads. */
export interface ExpressionReads {
  steps: Set<number>;
  runInput: boolean;
  problems: ExpressionProblem[];
}

const RUN_FIELDS: ReadonlySet<string> = new Set(['input', 'id', 'startedAt']);
const STEP_FIELDS: ReadonlySet<string> = new Set(['output', 'status', 'error']);

/**
 * Finds what an expression reads, and binds those places of its tree to the scope of the evaluation that is going on:
 * `run.input` and `steps.<id>.output` are asked for when they are evaluated, and nothing else is. Runs before the
 * library checks the tree.
 */
export function bindReads(
  root: CelNode,
  stepIndex: ReadonlyMap<string, number>,
  itemName: string | undefined,
): ExpressionReads {
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

/** Binds what only the checked tree has: how data is looked into, what work costs, and `matches`. */
export function bindCosts(root: CelNode): void {
  for (const { node } of walk(root)) {
    const comprehension = comprehensionOf(node);
    if (comprehension !== undefined) bindLoop(comprehension, sizeOfTurn(node));
    else if (isAccess(node)) node.handle = (holder, key) => lookUp(holder, key, literalKeyOf(node));
    else bindHandle(node);
  }
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
    reads.problems.push({ code: 'UNKNOWN_STEP', message, position: node.start });
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
    const message = `a step has output, status and error, not ${key === undefined ? 'a computed field' : shorten(key)}`;
    reads.problems.push({ code: 'EXPRESSION_INVALID', message, position: node.start });
    return;
  }
  const index = stepId === undefined ? undefined : stepIndex.get(stepId);
  if (index === undefined) return;
  node.evaluate = () => {
    const step = currentEvaluation().scope.step(index);
    if (key === 'output') return shielded(step.output ?? null);
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
    return value instanceof Map ? value.has(key) : isRecord(value) && Object.hasOwn(value, key);
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

function bindLoop({ iterable, step }: CelComprehension, cost: number): void {
  step.evaluate = (evaluator, node, context) => {
    currentEvaluation().cost.charge(cost);
    return step.meta.evaluate(evaluator, node, context);
  };
  let evaluate = iterable.evaluate;
  const evaluateShielded: CelEvaluate = (evaluator, node, context) => {
    try {
      const items = evaluate.call(node, evaluator, node, context);
      return Array.isArray(items) && items.some((item) => shielded(item) !== item) ? items.map(shielded) : items;
    } finally {
      // On its first call a node replaces its own `evaluate`; this one has to stay in front of it.
      if (iterable.evaluate !== evaluateShielded) {
        evaluate = iterable.evaluate;
        iterable.evaluate = evaluateShielded;
      }
    }
  };
  iterable.evaluate = evaluateShielded;
}

function bindHandle(node: CelNode): void {
  const handle = node.handle;
  if (handle === undefined) return;
  switch (node.op) {
    case '+':
      node.handle = (left, right, third, fourth) =>
        currentEvaluation().cost.chargeBuilt(handle(left, right, third, fourth));
      return;
    case '==':
    case '!=':
    case 'in':
      node.handle = (left, right, third, fourth) => {
        chargeComparison(left, right, currentEvaluation().cost);
        return handle(left, right, third, fourth);
      };
      return;
    case 'call':
    case 'rcall':
      node.handle = meteredCall(node, handle);
  }
}

/** Calls take the list of their arguments first, the receiver of a method at its head. */
function meteredCall(node: CelNode, handle: CelNode['handle'] & object): CelNode['handle'] & object {
  const name = calledNameOf(node) ?? '';
  return (callArguments, second, third, fourth) => {
    const { cost } = currentEvaluation();
    const list = callArguments as unknown[];
    if (name === 'matches' && list.length === 2) return matchesPattern(list[0], list[1], cost);
    // Parts of a time in a named zone go through the formatter of the platform, which is slow.
    cost.charge(name.startsWith('get') && list.length === 2 ? 1000 : 4);
    for (const argument of list) cost.chargeLength(argument);
    if (name === 'size' && isRecord(list[0])) cost.charge(Object.keys(list[0]).length);
    if (name === 'join') chargeJoin(list, cost);
    return cost.chargeBuilt(handle(callArguments, second, third, fourth));
  };
}

/** Checked before: joining a long list with a long separator would build the text first. */
function chargeJoin([parts, separator]: unknown[], cost: EvaluationCost): void {
  if (!Array.isArray(parts)) return;
  let characters = typeof separator === 'string' ? separator.length * parts.length : 0;
  for (const part of parts) characters += typeof part === 'string' ? part.length : 0;
  cost.charge(characters / 4);
}

function chargeComparison(left: unknown, right: unknown, cost: EvaluationCost): void {
  if (typeof right !== 'object' || right === null) {
    if (typeof left === 'string') cost.chargeLength(left);
  } else if (typeof left === 'object' && left !== null) {
    cost.chargeWhole(left);
    cost.chargeWhole(right);
  } else {
    cost.chargeLength(right);
  }
}

/**
 * Looks a key up in data: own keys of records and positions of lists, nothing else. There is no way from here to a
 * prototype. The key is named in the error only when the source says it: a computed one may be data.
 */
function lookUp(holder: unknown, key: unknown, literalKey: string | undefined): unknown {
  if (Array.isArray(holder)) {
    const position = typeof key === 'bigint' ? Number(key) : key;
    if (typeof position !== 'number') throw new EvaluationFault('a list has positions, not keys');
    const item: unknown = Number.isInteger(position) && position >= 0 ? holder[position] : undefined;
    if (item === undefined) throw new EvaluationFault('the list has no such position');
    return shielded(item);
  }
  if (holder instanceof Map && holder.has(key)) return shielded(holder.get(key));
  if (isRecord(holder) && (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'number')) {
    const name = String(key);
    if (Object.hasOwn(holder, name) && holder[name] !== undefined) return shielded(holder[name]);
  }
  throw missing(literalKey);
}

function present(value: unknown, key: string): unknown {
  if (value === undefined) throw missing(key);
  return value;
}

function missing(key: string | undefined): EvaluationFault {
  return new EvaluationFault(
    `there is no key ${key === undefined ? 'of the computed name' : JSON.stringify(shorten(key))}`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * The library tells types of values by their `constructor`, which data may have as a key of its own. Such a record goes
 * in as a Map, which the library takes as well.
 */
export function shielded(value: unknown): unknown {
  return isRecord(value) && Object.hasOwn(value, 'constructor') ? new Map(Object.entries(value)) : value;
}

/** Nodes that one turn of a comprehension evaluates: those of its arguments but the variable. */
function sizeOfTurn(call: CelNode): number {
  let size = 1;
  for (const argument of (call.args as [string, CelNode, CelNode[]])[2].slice(1)) {
    for (const _visit of walk(argument)) size += 1;
  }
  return size;
}
