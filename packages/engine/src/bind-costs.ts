import {
  type CelComprehension,
  type CelEvaluate,
  type CelHandle,
  type CelNode,
  calledNameOf,
  childrenOf,
  comprehensionOf,
  isAccess,
  literalKeyOf,
  walk,
} from './cel-nodes.ts';
import { chargeCall } from './charge-call.ts';
import { hasKey, isContainer, sameData } from './compare-data.ts';
import { currentEvaluation } from './current-evaluation.ts';
import { type EvaluationCost, EvaluationFault, MAX_LIST_ITEMS } from './expression-cost.ts';
import { chargePattern, matchesPattern } from './linear-regex.ts';
import { lookUp, shielded } from './look-up.ts';

/**
 * Binds what only the checked tree has: how data is looked into and compared, what work costs, and `matches`. What is
 * not bound here is done by the library.
 */
export function bindCosts(root: CelNode): void {
  for (const { node } of walk(root)) {
    const comprehension = comprehensionOf(node);
    if (comprehension !== undefined) bindLoop(comprehension, sizeOfTurn(node));
    else if (isAccess(node)) node.handle = chargingErrors((holder, key) => lookUp(holder, key, literalKeyOf(node)));
    else if (node.handle !== undefined) node.handle = chargingErrors(boundHandle(node, node.handle));
  }
}

/** Making an error takes as long as many nodes, and `||`, `all` and `exists` forgive any number of them. */
const UNITS_PER_ERROR = 50;

function chargingErrors(handle: CelHandle): CelHandle {
  return (first, second, third, fourth) => {
    try {
      return handle(first, second, third, fourth);
    } catch (error) {
      currentEvaluation().cost.charge(UNITS_PER_ERROR);
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

function boundHandle(node: CelNode, handle: CelHandle): CelHandle {
  switch (node.op) {
    case '+':
      return (left, right, third, fourth) => {
        const { cost } = currentEvaluation();
        if (Array.isArray(left) && Array.isArray(right)) return concatenated(left, right, cost);
        return cost.chargeBuilt(handle(left, right, third, fourth));
      };
    case '==':
    case '!=':
      return (left, right, third, fourth) => {
        const { cost } = currentEvaluation();
        cost.chargeLength(left);
        if (!isContainer(left) && !isContainer(right)) return handle(left, right, third, fourth);
        const comparable = isContainer(left) && isContainer(right);
        if (comparable) {
          cost.chargeWhole(left);
          cost.chargeWhole(right);
        }
        return (comparable && sameData(left, right)) === (node.op === '==');
      };
    case 'in':
      return (left, right, third, fourth) =>
        isContainer(right) ? isMember(left, right, currentEvaluation().cost) : handle(left, right, third, fourth);
    case 'call':
    case 'rcall':
      return calledNameOf(node) === 'matches'
        ? matchesCall(node, handle)
        : meteredCall(calledNameOf(node) ?? '', handle);
    default:
      return handle;
  }
}

function concatenated(left: unknown[], right: unknown[], cost: EvaluationCost): unknown {
  const length = left.length + right.length;
  if (length > MAX_LIST_ITEMS) throw new EvaluationFault(`it builds a list longer than ${MAX_LIST_ITEMS} items`);
  cost.charge(length);
  return [...left, ...right];
}

function isMember(value: unknown, holder: unknown[] | object, cost: EvaluationCost): boolean {
  if (!Array.isArray(holder)) return hasKey(holder, String(value));
  if (isContainer(value)) {
    cost.chargeWhole(holder);
    // Each comparison begins with the keys of the value.
    cost.charge(holder.length * partCountOf(value));
  } else cost.chargeLength(holder);
  return holder.some((item) => sameData(value, item));
}

function partCountOf(value: unknown[] | object): number {
  if (Array.isArray(value)) return 0;
  return value instanceof Map ? value.size : Object.keys(value).length;
}

/** Calls take the list of their arguments first, the receiver of a method at its head. */
function meteredCall(name: string, handle: CelHandle): CelHandle {
  return (callArguments, second, third, fourth) => {
    const { cost } = currentEvaluation();
    const list = callArguments as unknown[];
    const [first] = list;
    chargeCall(name, list, cost);
    if (name === 'size' && list.length === 1 && isContainer(first)) return sizeOf(first, cost);
    return cost.chargeBuilt(handle(callArguments, second, third, fourth));
  };
}

/** `text.matches(pattern)`, never through a JavaScript RegExp. */
function matchesCall(node: CelNode, handle: CelHandle): CelHandle {
  const isLiteral = childrenOf(node).at(-1)?.op === 'value';
  return (callArguments, second, third, fourth) => {
    const [text, pattern, ...more] = callArguments as unknown[];
    if (more.length > 0) return handle(callArguments, second, third, fourth);
    const { cost } = currentEvaluation();
    if (!isLiteral) chargePattern(pattern, cost);
    return matchesPattern(text, pattern, cost);
  };
}

function sizeOf(holder: unknown[] | object, cost: EvaluationCost): bigint {
  if (Array.isArray(holder)) return BigInt(holder.length);
  const size = holder instanceof Map ? holder.size : Object.keys(holder).length;
  cost.charge(size);
  return BigInt(size);
}

/** Nodes that one turn of a comprehension evaluates: those of its arguments but the variable. */
function sizeOfTurn(call: CelNode): number {
  let size = 1;
  for (const argument of (call.args as [string, CelNode, CelNode[]])[2].slice(1)) {
    for (const _visit of walk(argument)) size += 1;
  }
  return size;
}
