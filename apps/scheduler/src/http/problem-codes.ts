/**
 * Codes of single problems that the HTTP edge finds before or beside the compiler (whose own are in the engine).
 * docs/reference/errors.md lists both.
 */
export const EDGE_PROBLEM_CODES = {
  DUPLICATE_KEY: 'The JSON gives a key of one object twice; the message has both positions',
  JSON_FORBIDDEN_KEY: 'The JSON has a key that is never accepted, such as __proto__',
  JSON_TOO_DEEP: 'The JSON is nested deeper than 64 levels',
  PAYLOAD_TOO_LARGE: 'The JSON has too many keys, or an input is larger than the limit',
  NUMBER_TOO_LARGE: 'A number is larger than a double can be, such as 1e400',
  NUMBER_NOT_EXACT:
    'A number that would become another, such as 7615917337495251231; what JSON writes the same is taken',
  LONE_SURROGATE: 'A text has half of a surrogate pair',
  MISSING_FIELD: 'A field that is needed is not there',
  UNKNOWN_FIELD: 'A field that this request does not have',
  WRONG_TYPE: 'A value of another type than the field takes',
  ILLEGAL_VALUE: 'A value outside what the field takes',
  ILLEGAL_ID: 'An id of another form than 1 to 128 of A-Z a-z 0-9 . _ -',
  INPUT_SCHEMA_INVALID: 'The `input` of a definition is not a JSON Schema that can be used',
  INPUT_INVALID: 'The input of a run does not satisfy the schema of its workflow',
  INPUT_CHECK_TOO_COSTLY: 'Checking the input against the schema took longer than is allowed',
  HANDLER_NOT_AVAILABLE: 'No worker has the handler of a step now (warning)',
  CAPABILITY_NOT_AVAILABLE: 'No worker has the capability of a step now (warning)',
  KEYS_NEEDED: 'The scheduler would listen to other machines without an API key',
} as const satisfies Record<string, string>;

export type EdgeProblemCode = keyof typeof EDGE_PROBLEM_CODES;
