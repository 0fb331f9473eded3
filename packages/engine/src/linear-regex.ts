import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import type { ExpressionProblem } from './bind-reads.ts';
import { type CelNode, calledNameOf, childrenOf, walk } from './cel-nodes.ts';
import { type EvaluationCost, EvaluationFault } from './expression-cost.ts';

const MAX_PATTERN_CHARACTERS = 512;
const MAX_PROGRAM_SIZE = 5000;

const patterns = new LRUCache<string, RE2JS>({ max: 256 });

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
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch {
    // The library's message quotes the pattern, which may come from data.
    throw new EvaluationFault('a pattern of matches() is not a regular expression of RE2');
  }
  if (compiled.programSize() > MAX_PROGRAM_SIZE) throw new EvaluationFault('a pattern of matches() is too large');
  patterns.set(pattern, compiled);
  return compiled;
}

/** A pattern that is computed may be another one each time, and compiling is what costs most. */
export function chargePattern(pattern: unknown, cost: EvaluationCost): void {
  if (typeof pattern === 'string') cost.charge(100 * Math.min(pattern.length, MAX_PATTERN_CHARACTERS));
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

/** Patterns that are written in the source are looked at when it is compiled. */
export function checkLiteralPatterns(root: CelNode): ExpressionProblem | undefined {
  for (const { node } of walk(root)) {
    if (calledNameOf(node) !== 'matches') continue;
    const pattern = childrenOf(node).at(-1);
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') continue;
    try {
      compileLinearRegex(pattern.args);
    } catch (error) {
      if (!(error instanceof EvaluationFault)) throw error;
      return { code: 'EXPRESSION_INVALID', message: error.message, position: pattern.start };
    }
  }
  return undefined;
}
