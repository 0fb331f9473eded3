import { type EvaluationCost, EvaluationFault } from './expression-cost.ts';

/** Longest text of a number, time or duration: the library reads them in time that grows with the square, or the cube. */
const MAX_LITERAL_CHARACTERS = 64;
const READ_AS_LITERALS: ReadonlySet<string> = new Set(['duration', 'int', 'uint', 'double', 'timestamp', 'bool']);
/** Searches go by the platform's search, which for some texts compares all of the needle at each position. */
const SEARCHES: ReadonlySet<string> = new Set(['contains', 'indexOf', 'split']);
const COMPARISONS_PER_UNIT = 500;
/** From the end it always does so. */
const COMPARISONS_PER_UNIT_BACKWARDS = 125;
/** Below this a search is linear for all that matters. */
const SHORT_NEEDLE = 16;

/** What a call of the library's function costs, before it is made. `list`: the receiver of a method, then the arguments. */
export function chargeCall(name: string, list: readonly unknown[], cost: EvaluationCost): void {
  // Parts of a time in a named zone go through the formatter of the platform, which is slow.
  cost.charge(name.startsWith('get') && list.length === 2 ? 5000 : 4);
  for (const argument of list) {
    if (typeof argument === 'string') cost.charge(Math.floor(argument.length / 16));
    else if (argument instanceof Uint8Array) cost.charge(Math.floor(argument.length / 16));
  }
  const [first, second] = list;
  if (READ_AS_LITERALS.has(name)) refuseLongLiteral(name, first);
  else if (name === 'join') chargeJoin(first, second, cost);
  else if (SEARCHES.has(name)) chargeSearch(first, second, COMPARISONS_PER_UNIT, cost);
  else if (name === 'lastIndexOf') chargeSearch(first, second, COMPARISONS_PER_UNIT_BACKWARDS, cost);
  else if (name === 'size' && typeof first === 'string') cost.charge(first.length / 3);
  else if (name === 'json' && first instanceof Uint8Array) cost.charge(first.length);
  if (name === 'split') chargeSplit(first, second, cost);
}

function refuseLongLiteral(name: string, text: unknown): void {
  if (typeof text !== 'string' || text.length <= MAX_LITERAL_CHARACTERS) return;
  throw new EvaluationFault(`${name}() takes a text of at most ${MAX_LITERAL_CHARACTERS} characters`);
}

function chargeSearch(text: unknown, needle: unknown, comparisonsPerUnit: number, cost: EvaluationCost): void {
  if (typeof text !== 'string' || typeof needle !== 'string' || needle.length < SHORT_NEEDLE) return;
  const positions = Math.max(0, text.length - needle.length + 1);
  cost.charge((positions * needle.length) / comparisonsPerUnit);
}

/** A list of a million parts would be built before its length is seen. */
function chargeSplit(text: unknown, separator: unknown, cost: EvaluationCost): void {
  if (typeof text !== 'string' || typeof separator !== 'string') return;
  cost.charge(text.length / Math.max(1, separator.length) / 8);
}

/** Joining a long list with a long separator would build the text first. */
function chargeJoin(parts: unknown, separator: unknown, cost: EvaluationCost): void {
  if (!Array.isArray(parts)) return;
  let characters = typeof separator === 'string' ? separator.length * parts.length : 0;
  for (const part of parts) characters += typeof part === 'string' ? part.length : 0;
  cost.charge(parts.length + characters / 4);
}
