import { Environment } from '@marcbachmann/cel-js';
import { LRUCache } from 'lru-cache';
import { EvaluationFault } from './expression-cost.ts';

/** Longest source of an expression, in characters; the same as the definition's form allows. */
export const MAX_EXPRESSION_CHARACTERS = 4096;
/** Nesting of an expression's syntax tree, counting operators of a chain one below the other. */
export const MAX_EXPRESSION_DEPTH = 200;

const LIMITS = {
  maxAstNodes: 2000,
  maxDepth: 60,
  maxListElements: 1000,
  maxMapEntries: 1000,
  maxCallArguments: 16,
};

/** Names that an expression of a definition begins with, beside a map's item. */
export const ROOT_NAMES = ['run', 'steps'] as const;

const base = withMixedNumbers(
  new Environment({ unlistedVariablesAreDyn: false, homogeneousAggregateLiterals: false, limits: LIMITS }),
);
for (const name of ROOT_NAMES) base.registerVariable(name, 'dyn');

const withItem = new LRUCache<string, Environment>({ max: 200 });

/** The environment of expressions of a definition; with the name of a map's item, that name and `index` too. */
export function celEnvironment(itemName: string | undefined): Environment {
  if (itemName === undefined) return base;
  const known = withItem.get(itemName);
  if (known !== undefined) return known;
  const environment = base.clone().registerVariable(itemName, 'dyn').registerVariable('index', 'dyn');
  withItem.set(itemName, environment);
  return environment;
}

/** True when a map item cannot have this name because it means something else in expressions. */
export function isTakenName(name: string): boolean {
  if (name === 'index') return true;
  try {
    celEnvironment(name);
    return false;
  } catch {
    // The library refuses names that are registered or reserved.
    return true;
  }
}

/**
 * JSON has one kind of number where CEL has two. Numbers of data are decimals (`double`), numbers written without a
 * point are integers (`int`); plain CEL refuses to mix them. Mixed arithmetic gives a decimal, and where CEL wants an
 * integer a whole decimal does. Dividing two written integers stays an integer division (`7 / 2` is 3), dividing
 * data does not (`run.input.n / 2` is 3.5 for 7), whatever the data is.
 */
function withMixedNumbers(environment: Environment): Environment {
  const operations: Record<string, (left: number, right: number) => number> = {
    '+': (left, right) => left + right,
    '-': (left, right) => left - right,
    '*': (left, right) => left * right,
    '/': (left, right) => divide(left, right),
    '%': (left, right) => remainder(left, right),
  };
  for (const [operator, operation] of Object.entries(operations)) {
    for (const [left, right] of [
      ['int', 'double'],
      ['double', 'int'],
    ]) {
      environment.registerOperator(`${left} ${operator} ${right}: double`, (a: number | bigint, b: number | bigint) =>
        operation(Number(a), Number(b)),
      );
    }
  }
  environment.registerOperator('double % double: double', remainder);
  // Operands that are data are compared by the library itself; this is for two literals.
  environment.registerOperator('int == double', (a: bigint, b: number) => Number(a) === b);
  return withWholeDecimals(environment);
}

function withWholeDecimals(environment: Environment): Environment {
  const sync = { async: false };
  const positions = [
    ['int', 'double'],
    ['double', 'int'],
    ['double', 'double'],
  ] as const;
  environment.registerFunction(
    'string.substring(double): string',
    (text: string, start: number) => substring(text, start, text.length),
    sync,
  );
  for (const [start, end] of positions) {
    environment.registerFunction(`string.substring(${start}, ${end}): string`, substring, sync);
  }
  environment.registerFunction(
    'string.indexOf(string, double): int',
    (text: string, part: string, from: number) => BigInt(text.indexOf(part, wholeWithin(from, text.length))),
    sync,
  );
  environment.registerFunction(
    'string.lastIndexOf(string, double): int',
    (text: string, part: string, from: number) => BigInt(text.lastIndexOf(part, wholeWithin(from, text.length))),
    sync,
  );
  return environment;
}

function substring(text: string, start: number | bigint, end: number | bigint): string {
  const [from, to] = [wholeWithin(start, text.length), wholeWithin(end, text.length)];
  if (to < from) throw new EvaluationFault('an end of substring() is before its start');
  return text.substring(from, to);
}

function wholeWithin(position: number | bigint, length: number): number {
  const whole = Number(position);
  if (!Number.isInteger(whole) || whole < 0 || whole > length) {
    throw new EvaluationFault('a position in a text is not a whole number within it');
  }
  return whole;
}

function divide(left: number, right: number): number {
  if (right === 0) throw new EvaluationFault('it divides by zero');
  return left / right;
}

function remainder(left: number, right: number): number {
  if (right === 0) throw new EvaluationFault('it divides by zero');
  return left % right;
}
