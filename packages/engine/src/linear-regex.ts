import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import type { ExpressionProblem } from './bind-reads.ts';
import { type CelNode, calledNameOf, childrenOf, walk } from './cel-nodes.ts';
import { type EvaluationCost, EvaluationFault } from './expression-cost.ts';
import { weighPattern } from './pattern-weight.ts';

const MAX_PATTERN_CHARACTERS = 512;
const MAX_PROGRAM_SIZE = 5000;

/** What compiling the patterns that are written in one expression may cost; a quarter of what evaluating it may. */
const MAX_LITERAL_PATTERN_COST = 250_000;
/** Of all patterns that are remembered; a unit is about two bytes. */
const MAX_REMEMBERED_COST = 10_000_000;

const patterns = new LRUCache<string, RE2JS>({ maxSize: MAX_REMEMBERED_COST });

/**
 * A pattern in RE2 syntax, matched in time linear in the text: an expression of a user is never a JavaScript RegExp.
 * Error: `EvaluationFault` when the pattern is not RE2 or too large.
 */
function compileLinearRegex(pattern: string): RE2JS {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    throw new EvaluationFault(`a pattern of matches() is longer than ${MAX_PATTERN_CHARACTERS} characters`);
  }
  const { units, instructions } = weighPattern(pattern);
  if (instructions > 2 * MAX_PROGRAM_SIZE) throw new EvaluationFault('a pattern of matches() is too large');
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch {
    // The library's message quotes the pattern, which may come from data.
    throw new EvaluationFault('a pattern of matches() is not a regular expression of RE2');
  }
  if (compiled.programSize() > MAX_PROGRAM_SIZE) throw new EvaluationFault('a pattern of matches() is too large');
  patterns.set(pattern, compiled, { size: Math.ceil(units) });
  return compiled;
}

/** A pattern may be another one each time, and compiling is what costs most. */
export function chargePattern(pattern: unknown, cost: EvaluationCost): void {
  if (typeof pattern === 'string') cost.charge(weighPattern(pattern.slice(0, MAX_PATTERN_CHARACTERS)).units);
}

/** True when some part of the text matches, as CEL says. */
export function matchesPattern(text: unknown, pattern: unknown, cost: EvaluationCost): boolean {
  if (typeof text !== 'string' || typeof pattern !== 'string') {
    throw new EvaluationFault('matches() takes a text and a pattern');
  }
  const regex = compileLinearRegex(pattern);
  cost.charge(20 + Math.ceil((text.length * Math.max(10, regex.programSize())) / 100));
  return regex.test(text);
}

export type LiteralPatterns =
  | { ok: true /** What compiling them costs. */; cost: number }
  | { ok: false; problem: ExpressionProblem };

/** Patterns that are written in the source are looked at when it is compiled. */
export function checkLiteralPatterns(root: CelNode): LiteralPatterns {
  let cost = 0;
  for (const { node } of walk(root)) {
    if (calledNameOf(node) !== 'matches') continue;
    const pattern = childrenOf(node).at(-1);
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') continue;
    cost += weighPattern(pattern.args.slice(0, MAX_PATTERN_CHARACTERS)).units;
    const message = cost > MAX_LITERAL_PATTERN_COST ? TOO_COSTLY : problemOf(pattern.args);
    if (message === undefined) continue;
    const code = message === TOO_COSTLY ? 'EXPRESSION_TOO_COMPLEX' : 'EXPRESSION_INVALID';
    return { ok: false, problem: { code, message, position: pattern.start } };
  }
  return { ok: true, cost };
}

const TOO_COSTLY = 'the patterns of matches() take more work to compile than those of one expression may';

function problemOf(pattern: string): string | undefined {
  try {
    compileLinearRegex(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof EvaluationFault) return error.message;
    throw error;
  }
}
