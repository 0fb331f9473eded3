/** What stands in the place of what varies. */
const VARIES = '…';
const MAX_READ_CHARACTERS = 2000;
const MAX_CHARACTERS = 300;

const QUOTED = /"[^"]*"|`[^`]*`|(?<![A-Za-z])'[^']*'(?![A-Za-z])/g;
/** A status of HTTP says what went wrong, unlike other numbers. */
const HTTP_STATUS = /\b(http|status|answered|responded with)([ :]{1,2})([1-5]\d\d)\b/gi;
const WITH_DIGIT = /[^\s()[\]{}<>,;:="'`]*\d[^\s()[\]{}<>,;:="'`]*/g;
const KEPT_STATUS = /\uE000([a-e])([a-j]{2})\uE001/g;

/**
 * The message of an error without what varies from one occurrence to the next: quoted texts and words with a digit in them
 * (numbers, ids, times, addresses). Errors with the same result, handler and code form an error group.
 */
export function normaliseMessage(message: string): string {
  const plain = message
    .slice(0, MAX_READ_CHARACTERS)
    .replace(/[\uE000\uE001]/g, '')
    .replace(HTTP_STATUS, (_, word: string, between: string, status: string) => word + between + hide(status))
    .replace(QUOTED, VARIES)
    .replace(WITH_DIGIT, VARIES)
    .replace(KEPT_STATUS, (_, first: string, rest: string) => [...(first + rest)].map(digitOf).join(''))
    .replace(/\s+/g, ' ')
    .replace(/…(?:[ .,:/-]?…)+/g, VARIES)
    .trim();
  return plain.length > MAX_CHARACTERS ? `${plain.slice(0, MAX_CHARACTERS - 1)}${VARIES}` : plain;
}

/** A status as letters, so that it is not taken for a number. */
function hide(status: string): string {
  const letters = [...status].map((digit, index) => String.fromCharCode(97 + Number(digit) - (index === 0 ? 1 : 0)));
  return `\uE000${letters.join('')}\uE001`;
}

function digitOf(letter: string, index: number): string {
  return String(letter.charCodeAt(0) - 97 + (index === 0 ? 1 : 0));
}
