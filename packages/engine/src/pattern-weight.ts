/** Work of compiling, in the units of `EvaluationCost`, measured with RE2JS: generous, for it decides before the work. */
const UNITS_PER_CHARACTER = 100;
const UNITS_PER_INSTRUCTION = 80;
/** A class of Unicode is a table of hundreds of ranges, twice that without regard to case. */
const UNITS_PER_UNICODE_CLASS = 3000;
const UNITS_PER_UNICODE_CLASS_ANY_CASE = 8000;
const UNITS_PER_CLASS_ANY_CASE = 1500;

export interface PatternWeight {
  /** What compiling it costs. */
  units: number;
  /** At least as many as the compiled program has. */
  instructions: number;
}

/** What a pattern in RE2 syntax will take, from its text alone: a repetition of a repetition is found before it is made. */
export function weighPattern(pattern: string): PatternWeight {
  const instructions = countInstructions(pattern);
  const anyCase = /\(\?[a-zA-Z-]*i/.test(pattern);
  const unicodeClasses = pattern.match(/\\[pP]/g)?.length ?? 0;
  const classes = anyCase ? (pattern.match(/\[|\\[wWdDsS]/g)?.length ?? 0) : 0;
  const perUnicodeClass = anyCase ? UNITS_PER_UNICODE_CLASS_ANY_CASE : UNITS_PER_UNICODE_CLASS;
  const units =
    pattern.length * UNITS_PER_CHARACTER +
    instructions * UNITS_PER_INSTRUCTION +
    unicodeClasses * perUnicodeClass +
    classes * UNITS_PER_CLASS_ANY_CASE;
  return { units, instructions };
}

/** Atoms times how often they are repeated. Reads loosely: what is no pattern is refused by the library. */
function countInstructions(pattern: string): number {
  const outside: number[] = [];
  let [sum, last] = [0, 0];
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at];
    const repeated = character === '{' ? /^\{(\d{1,5})(?:,(\d{0,5}))?\}/.exec(pattern.slice(at, at + 16)) : null;
    if (character === '(') {
      outside.push(sum);
      [sum, last] = [0, 0];
      at += 1;
    } else if (character === ')') {
      last = sum + 2;
      sum = (outside.pop() ?? 0) + last;
      at += 1;
    } else if (repeated !== null) {
      const times = Math.max(Number(repeated[1]), Number(repeated[2] || repeated[1]), 1);
      sum += (last + 1) * times;
      last = (last + 1) * (times + 1);
      at += repeated[0].length;
    } else {
      last = 1;
      sum += last;
      at = endOfAtom(pattern, at);
    }
  }
  return outside.reduce((total, part) => total + part, sum);
}

function endOfAtom(pattern: string, start: number): number {
  if (pattern[start] === '\\') return start + 2;
  if (pattern[start] !== '[') return start + 1;
  for (let at = start + 2; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === ']' && pattern[at - 1] !== ':') return at + 1;
  }
  return pattern.length;
}
