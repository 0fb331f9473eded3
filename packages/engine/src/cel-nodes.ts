import type { ParseResult } from '@marcbachmann/cel-js';

/**
 * What we rely on in the library's syntax tree beyond its published types, in one place. The library checks a tree
 * once (which chooses each node's `handle`) and then evaluates by calling `node.evaluate`; both are plain properties,
 * so access to data, costs and the reading of steps can be decided per node while the library keeps the semantics.
 * The exact version is pinned; the tests of expressions fail when one of these no longer holds.
 */
export interface CelNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly meta: CelNodeMeta;
  handle?: CelHandle;
  evaluate: CelEvaluate;
}

export type CelHandle = (first: unknown, second: unknown, third: unknown, fourth: unknown) => unknown;
export type CelEvaluate = (evaluator: CelEvaluator, node: CelNode, context: unknown) => unknown;
type CelCheck = (checker: CelChecker, node: CelNode, context: unknown) => unknown;

interface CelNodeMeta {
  check: CelCheck;
  evaluate: CelEvaluate;
  /** Set on calls of `has` and `cel.bind`. */
  macro?: CelMacro;
  /** Set on comprehensions: the node that stands for the call. */
  alternate?: CelNode;
}

interface CelMacro {
  evaluate(evaluator: CelEvaluator, macro: unknown, context: unknown): unknown;
  typeCheck(checker: CelChecker, macro: unknown, context: unknown): unknown;
}

interface CelEvaluator {
  run(node: CelNode, context: unknown): unknown;
}

interface CelChecker {
  readonly dynType: unknown;
  readonly boolType: unknown;
  check(node: CelNode, context: unknown): unknown;
}

/** The steps of the loop that a comprehension (`map`, `filter`, `all` …) became. */
export interface CelComprehension {
  iterable: CelNode;
  step: CelNode;
}

export function rootOf(parsed: ParseResult): CelNode {
  return parsed.ast as unknown as CelNode;
}

/** The nodes directly under one, as written in the source. Of a comprehension or bind, the variable's name too. */
export function childrenOf(node: CelNode): readonly CelNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [(node.args as [CelNode, string])[0]];
    case 'call':
      return (node.args as [string, CelNode[]])[1];
    case 'rcall': {
      const [, receiver, callArguments] = node.args as [string, CelNode, CelNode[]];
      return [receiver, ...callArguments];
    }
    case 'map':
      return (node.args as [CelNode, CelNode][]).flat();
    case '!_':
    case '-_':
      return [node.args as CelNode];
    default:
      return node.args as CelNode[];
  }
}

/** The name of the variable that a comprehension or `cel.bind` introduces, and its node. */
export function boundVariableOf(node: CelNode): CelNode | undefined {
  if (node.op !== 'rcall' || (node.meta.alternate === undefined && node.meta.macro === undefined)) return undefined;
  return (node.args as [string, CelNode, CelNode[]])[2][0];
}

/** The loop behind a call of `map`, `filter`, `all`, `exists`, `exists_one`. */
export function comprehensionOf(node: CelNode): CelComprehension | undefined {
  const alternate = node.meta.alternate;
  return alternate?.op === 'comprehension' ? (alternate.args as CelComprehension) : undefined;
}

/** The name of a call, with its receiver when it has one. */
export function calledNameOf(node: CelNode): string | undefined {
  return node.op === 'call' || node.op === 'rcall' ? (node.args as [string])[0] : undefined;
}

/** The key of an access when the source says it: `a.key`, `a["key"]`. */
export function literalKeyOf(node: CelNode): string | undefined {
  if (node.op === '.') return (node.args as [CelNode, string])[1];
  if (node.op !== '[]') return undefined;
  const index = (node.args as [CelNode, CelNode])[1];
  return index.op === 'value' && typeof index.args === 'string' ? index.args : undefined;
}

/** What an access looks into. */
export function accessedOf(node: CelNode): CelNode {
  return (node.args as [CelNode])[0];
}

export function isAccess(node: CelNode): boolean {
  return node.op === '.' || node.op === '[]';
}

export function identifierOf(node: CelNode): string | undefined {
  return node.op === 'id' ? (node.args as string) : undefined;
}

/** Every node under and with this one, each with its depth below it; iterative. */
export function* walk(root: CelNode): Generator<{ node: CelNode; depth: number }> {
  const stack = [{ node: root, depth: 1 }];
  while (stack.length > 0) {
    const visit = stack.pop()!;
    yield visit;
    for (const child of childrenOf(visit.node)) stack.push({ node: child, depth: visit.depth + 1 });
  }
}
