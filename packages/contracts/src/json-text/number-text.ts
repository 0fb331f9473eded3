/** Why a number cannot be taken as it is written. The codes of problems are called the same. */
export interface NumberTextProblem {
  code: 'NUMBER_TOO_LARGE' | 'NUMBER_NOT_EXACT';
  /** Continues "the number 7 at line 1 column 2 …". */
  message: string;
}

/**
 * The one rule for numbers that come as text, wherever they come from: an integer is taken when it is exact in a double,
 * or is what JSON writes for that double (1796080460429000000 comes back as it was sent); a decimal is taken and means
 * the nearest double, as everywhere, unless that is infinite or lost all of its digits. `token` is a number of JSON, or
 * an integer that BigInt reads (0x1f).
 */
export function checkNumberText(token: string): NumberTextProblem | undefined {
  const value = Number(token);
  if (Number.isNaN(value)) return undefined; // not a number: the parser says so
  if (!Number.isFinite(value)) return { code: 'NUMBER_TOO_LARGE', message: 'is larger than a double can be' };
  const integer = integerOf(token);
  if (integer === undefined) {
    const vanishes = value === 0 && /[1-9]/.test(token.replace(/e.*$/i, ''));
    return vanishes ? { code: 'NUMBER_NOT_EXACT', message: 'would be changed to 0: send it as text' } : undefined;
  }
  if (BigInt(value) === integer || JSON.stringify(value) === String(integer)) return undefined;
  return { code: 'NUMBER_NOT_EXACT', message: `would be changed to ${JSON.stringify(value)}: send it as text` };
}

/** Of an integer, also one that is written as 17.0. */
function integerOf(token: string): bigint | undefined {
  const digits = /^([+-]?\d+)(?:\.0*)?$/.exec(token)?.[1] ?? (/^0[xob][\da-f]+$/i.test(token) ? token : undefined);
  if (digits === undefined) return undefined;
  return BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
}
