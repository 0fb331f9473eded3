import { isUtf8 } from 'node:buffer';
import { type ErrorCode, FlotillaError, type Problem } from '@flotilla/contracts';
import type { FastifyInstance } from 'fastify';
import { type ScanLimits, scanJson } from './scan-json.ts';

/** Bounds of every body. A definition may have 20,000 steps, which decides the number of keys. */
const BODY_LIMITS: ScanLimits = { maxDepth: 64, maxKeys: 400_000, maxKeysOfObject: 25_000 };

/**
 * The value of a JSON body, or a typed refusal: MALFORMED_JSON, JSON_TOO_DEEP, JSON_FORBIDDEN_KEY, PAYLOAD_TOO_LARGE,
 * DEFINITION_INVALID (a step given twice), VALIDATION_FAILED (other keys given twice, numbers that would change). An
 * empty body is `undefined`: what needs one says so in its schema.
 */
function readJsonBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new FlotillaError('MALFORMED_JSON', 'the body is not UTF-8');
  const text = body.toString('utf8');
  const problems = scanJson(text, BODY_LIMITS);
  const fatal = problems.find((problem) => problem.code === 'JSON_TOO_DEEP' || problem.code === 'PAYLOAD_TOO_LARGE');
  if (fatal !== undefined) throw refusal(fatal.code as ErrorCode, problems);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FlotillaError('MALFORMED_JSON', malformed(text, error), { cause: error });
  }
  if (problems.length > 0) throw refusalOf(problems);
  return value;
}

/** Replaces fastify's JSON parser, and leaves JSON as the only type that is taken. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      // A small body could inflate to any size.
      if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
        throw new FlotillaError('UNSUPPORTED_MEDIA_TYPE', 'send the body without Content-Encoding');
      }
      done(null, readJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

const STEP_KEY = /^(?:\/definition)?(?=\/steps\/[^/]+$)/;

/** Of a text that parses. Problems of a definition have pointers into the definition, as the compiler's have. */
function refusalOf(problems: readonly Problem[]): FlotillaError {
  if (problems.some((problem) => problem.code === 'JSON_FORBIDDEN_KEY')) return refusal('JSON_FORBIDDEN_KEY', problems);
  const onlySteps = problems.every((problem) => problem.code === 'DUPLICATE_KEY' && STEP_KEY.test(problem.path));
  if (!onlySteps) return refusal('VALIDATION_FAILED', problems);
  const inDefinition = problems.map((problem) => ({ ...problem, path: problem.path.replace(STEP_KEY, '') }));
  return refusal('DEFINITION_INVALID', inDefinition);
}

function refusal(code: ErrorCode, problems: readonly Problem[]): FlotillaError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems)` : '';
  return new FlotillaError(code, `${first?.message ?? 'not acceptable'}${more}`, { problems });
}

/** The parser's message without the piece of the body that it quotes, which may be a secret or a megabyte. */
function malformed(text: string, error: unknown): string {
  const position = /at position (\d+)/.exec((error as Error).message)?.[1];
  if (position === undefined) return 'the body is not complete JSON';
  const before = text.slice(0, Number(position));
  const line = before.split('\n').length;
  return `the body is not JSON: line ${line} column ${before.length - before.lastIndexOf('\n')}`;
}
