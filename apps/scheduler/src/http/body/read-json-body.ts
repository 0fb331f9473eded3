import { isUtf8 } from 'node:buffer';
import { FlotillaError, JsonTextError, parseJsonTextInPieces } from '@flotilla/contracts';
import { loopTurns } from '@flotilla/state';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * The value of a JSON body, or a typed refusal: MALFORMED_JSON, JSON_TOO_DEEP, JSON_FORBIDDEN_KEY, PAYLOAD_TOO_LARGE,
 * DEFINITION_INVALID (a step given twice), VALIDATION_FAILED (other keys given twice, numbers that would change). An
 * empty body is `undefined`: what needs one says so in its schema.
 */
async function readJsonBody(body: Buffer): Promise<unknown> {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new FlotillaError('MALFORMED_JSON', 'the body is not UTF-8');
  try {
    return await loopTurns.runPieces(parseJsonTextInPieces(body.toString('utf8')));
  } catch (error) {
    throw error instanceof JsonTextError ? refusalOf(error) : error;
  }
}

/** Replaces fastify's JSON parser, and leaves JSON as the only type that is taken. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    // A small body could inflate to any size.
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw new FlotillaError('UNSUPPORTED_MEDIA_TYPE', 'send the body without Content-Encoding');
    }
    return readJsonBody(body);
  });
}

const STEP_KEY = /^(?:\/definition)?(?=\/steps\/[^/]+$)/;

/** Problems of a definition have pointers into the definition, as the compiler's have. */
function refusalOf(error: JsonTextError): FlotillaError {
  const { code, message, problems, cause } = error;
  if (code === 'MALFORMED_JSON') return new FlotillaError(code, `the body is ${message}`, { cause });
  const onlySteps = problems.every((problem) => problem.code === 'DUPLICATE_KEY' && STEP_KEY.test(problem.path));
  if (code !== 'VALIDATION_FAILED' || !onlySteps) return new FlotillaError(code, message, { problems });
  const inDefinition = problems.map((problem) => ({ ...problem, path: problem.path.replace(STEP_KEY, '') }));
  return new FlotillaError('DEFINITION_INVALID', message, { problems: inDefinition });
}
