import type { Problem } from '@flotilla/contracts';
import { malformed } from './yaml-problems.ts';

/** An expression that begins a value without a quote before it. */
const UNQUOTED = /(?:^|[:,[{-])\s*(\$\{\{.*?(?:\}\}|$))/;
const LONGEST_EXAMPLE = 80;

/**
 * Lines that YAML cannot read because of an expression without quotes: `{ }`, `: ` and ` #` mean something to YAML, too.
 * `found` is what the parser says.
 */
export function findUnquotedExpressions(text: string, found: readonly Problem[]): Problem[] {
  if (!text.includes('${{')) return [];
  const lines = text.split('\n');
  const numbers = [...new Set(found.flatMap(({ line }) => (line === undefined ? [] : [line])))];
  return numbers.flatMap((number) => {
    const expression = UNQUOTED.exec(lines[number - 1] ?? '')?.[1];
    return expression === undefined
      ? []
      : [malformed(`an expression has to be quoted here: ${quoted(expression)}`, number)];
  });
}

function quoted(expression: string): string {
  const shown = expression.length > LONGEST_EXAMPLE ? `${expression.slice(0, LONGEST_EXAMPLE)}…` : expression;
  return shown.includes('"') && !shown.includes("'") ? `'${shown}'` : `"${shown.replaceAll('"', '\\"')}"`;
}
