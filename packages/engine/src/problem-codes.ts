/**
 * Every code that compiling a workflow can report. Stable: tools compare them. `warning` ones do not refuse the
 * document. docs/reference/errors.md lists this table.
 */
export const PROBLEM_CODES = {
  NOT_JSON: 'The document has something that JSON cannot hold',
  JSON_TOO_DEEP: 'The document is nested deeper than 64 levels',
  JSON_FORBIDDEN_KEY: 'The document has a key that is never accepted, such as __proto__',
  PAYLOAD_TOO_LARGE: 'The document is larger than 8 MiB or has too many keys',
  MISSING_FIELD: 'A field that is needed is not there',
  UNKNOWN_FIELD: 'A field that the definition format does not have',
  WRONG_TYPE: 'A value of another type than the field takes',
  ILLEGAL_VALUE: 'A value outside what the field takes',
  ILLEGAL_ID: 'An id of another form than 1 to 128 of A-Z a-z 0-9 . _ -',
  NO_STEPS: 'A workflow has at least one step',
  TOO_MANY_STEPS: 'More steps than a workflow may have',
  UNKNOWN_STEP: 'A need, branch target or expression names a step that does not exist',
  DUPLICATE_NEED: 'A step names the same need twice',
  CYCLE: 'Steps need each other in a circle',
  DEPTH_LIMIT: 'The longest chain of steps is longer than the limit',
  BUDGET_EXCEEDED: 'The workflow cannot keep within its own budget',
  EXPRESSION_INVALID: 'An expression does not parse, or mixes types that do not go together',
  EXPRESSION_TOO_COMPLEX: 'An expression is longer or more nested than the limit',
  EXPRESSION_NOT_UPSTREAM: 'An expression reads a step that need not have settled when it is evaluated',
  EXPRESSION_NOT_BOOLEAN: 'A condition is an expression that can never give true or false',
  TEMPLATE_INVALID: 'A ${{ … }} in a text does not end',
  ITEM_NAME_TAKEN: 'The name of a map item means something else in expressions',
  LEGACY_FIELD_MISSING: 'A legacy step lacks what its kind needs',
  UNREACHABLE_STEP: 'A step that can never run (warning)',
  LEGACY_FIELD_LOST: 'Something of a legacy document has no counterpart (warning)',
  LEGACY_VALUE_CHANGED: 'Something of a legacy document was kept in another form (warning)',
  TOO_MANY_PROBLEMS: 'The document has more problems than are listed',
} as const satisfies Record<string, string>;

export type ProblemCode = keyof typeof PROBLEM_CODES;
