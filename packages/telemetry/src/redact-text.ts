import { isSecretName } from './secret-names.ts';

export const REDACTED = '[redacted]';

const MAX_TEXT_LENGTH = 8192;
/** Somewhat more than is shown, so that a secret at the cut is still seen whole; it bounds the work on huge text. */
const MAX_SEARCHED_LENGTH = 2 * MAX_TEXT_LENGTH;

const URL_CREDENTIALS = /([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]*(?:\/[^\s@/]*)?@/gi;
/** Of an Authorization header. `Basic` is also a word: what follows it there has more than small letters. */
const BEARER = /\b(bearer|dpop)(\s+|%20|\+)[A-Za-z0-9._~+/=-]{3,}/gi;
const BASIC = /\b(basic)(\s+|%20|\+)(?![a-z]+\b)[A-Za-z0-9._~+/=-]{6,}/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?/g;
/** `name=value` of a query, a form, a cookie or a command line. */
const ASSIGNED = /(?<![\w.-])([A-Za-z_][\w.[\]-]{0,63})=("[^"]*"|[^\s&;,"'<>)]+)/g;
/** `"name": "value"` of JSON or of a printed object, also with the quotes escaped. */
const QUOTED = /(\\?["'])([\w.-]{1,64})\1\s{0,4}:\s{0,4}(\\?["'])((?:(?!\3)[^\n]){1,8192}?)\3/g;
/** `name: 'value'` of a printed object whose names need no quotes. */
const PRINTED = /(?<![\w.-])([A-Za-z_]\w{0,63}): {0,4}(["'])(?:(?!\2)[^\n]){1,8192}?\2/g;
/** `name: value` of a header, to the end of the word. */
const HEADER = /(?<![\w.-])([A-Za-z][\w-]{0,63}): {0,4}(?!\[redacted\])([^\s,;"'{}[\]]{3,})/g;
/** Only these read as a header in a sentence: "password: expected a string" is a message and stays. */
const HEADER_NAME = /-|^(authorization|cookie|jwt)$|[a-z][A-Z]/;

/** Text without what looks like a secret in it (credentials of URLs and headers, values of telling names), cut to 8192 characters. */
export function redactText(text: string): string {
  const searched = text.length > MAX_SEARCHED_LENGTH ? text.slice(0, MAX_SEARCHED_LENGTH) : text;
  const clean = withoutNamedSecrets(withoutCredentials(searched));
  if (text.length <= MAX_SEARCHED_LENGTH && clean.length <= MAX_TEXT_LENGTH) return clean;
  return `${clean.slice(0, MAX_TEXT_LENGTH)}… (${text.length} characters)`;
}

function withoutCredentials(text: string): string {
  return text
    .replace(URL_CREDENTIALS, `$1${REDACTED}@`)
    .replace(BEARER, `$1$2${REDACTED}`)
    .replace(BASIC, `$1$2${REDACTED}`)
    .replace(JWT, REDACTED);
}

function withoutNamedSecrets(text: string): string {
  if (!/[=:]/.test(text)) return text;
  return text
    .replace(ASSIGNED, (all, name: string) => (isSecretName(name) ? `${name}=${REDACTED}` : all))
    .replace(QUOTED, (all, quote: string, name: string) =>
      isSecretName(name) ? `${quote}${name}${quote}: ${quote}${REDACTED}${quote}` : all,
    )
    .replace(PRINTED, (all, name: string, quote: string) =>
      isSecretName(name) ? `${name}: ${quote}${REDACTED}${quote}` : all,
    )
    .replace(HEADER, (all, name: string) =>
      HEADER_NAME.test(name) && isSecretName(name) ? `${name}: ${REDACTED}` : all,
    );
}
