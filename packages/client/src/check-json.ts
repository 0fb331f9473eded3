import { DEFAULT_JSON_LIMITS, FlotillaError, findJsonProblem, type JsonLimits } from '@flotilla/contracts';

/** The server has its own, smaller limits; these only keep nonsense off the wire. */
const INPUT_LIMITS: JsonLimits = { ...DEFAULT_JSON_LIMITS, maxBytes: 16 * 1024 * 1024 };
const DEFINITION_LIMITS: JsonLimits = { maxDepth: 64, maxBytes: 64 * 1024 * 1024, maxKeys: 1_000_000 };

/**
 * Refuses, before anything is sent, what `JSON.stringify` would drop or change silently: undefined in lists, NaN, dates, BigInt,
 * class instances, cycles. VALIDATION_FAILED with a pointer, PAYLOAD_TOO_LARGE, JSON_TOO_DEEP, JSON_FORBIDDEN_KEY.
 */
export function checkInput(input: unknown): void {
  check('input', input, INPUT_LIMITS);
}

export function checkDefinition(definition: object): void {
  check('definition', definition, DEFINITION_LIMITS);
}

function check(name: string, value: unknown, limits: JsonLimits): void {
  const found = findJsonProblem(value, limits);
  if (found === undefined) return;
  const path = `/${name}${found.path}`;
  const code = found.code === 'NOT_JSON' ? 'VALIDATION_FAILED' : found.code;
  throw new FlotillaError(code, `${path}: ${found.message}`, { problems: [{ ...found, path }] });
}
