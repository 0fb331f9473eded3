/** Words that name a secret wherever they stand in a name. */
const SECRET_WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'passcode', 'pwd', 'pass', 'secret', 'secrets', 'credential', 'credentials'],
  ...['authorization', 'cookie', 'cookies', 'jwt', 'bearer', 'otp', 'apikey', 'apikeys', 'privatekey', 'signature'],
]);
/** Words that name a secret when the value is not a number: a fencing token is one, and a count of tokens. */
const SECRET_TEXT_WORDS: ReadonlySet<string> = new Set(['token', 'auth', 'csrf', 'xsrf', 'sid', 'sig', 'session']);
/** What makes a key a secret; `idempotencyKey` and `stepKey` are none. */
const SECRET_KEY =
  /(^|-)(api|private|access|secret|signing|sign|encryption|checkpoint|master|subscription|functions|license|account|auth)-keys?(-|$)/;
/** Words that run together: `accesstoken`, `MYPASSWORD2`, `clientsecret`. */
const RUN_TOGETHER =
  /passw|passphrase|secret|credential|(access|refresh|auth|bearer|session|id|api|csrf)token|api-?key/;

/** True when a value of this name, in whatever case and spelling, must not be shown. */
export function isSecretName(name: string, isNumber = false): boolean {
  if (name === '' || name.length > 256) return false;
  const spelled = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .toLowerCase();
  if (SECRET_KEY.test(spelled) || RUN_TOGETHER.test(spelled)) return true;
  return spelled
    .split('-')
    .some((word) => SECRET_WORDS.has(word) || (!isNumber && SECRET_TEXT_WORDS.has(word.replace(/\d+$/, ''))));
}
