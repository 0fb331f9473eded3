import { ERROR_CODES, FlotillaError, isFlotillaError } from '@flotilla/contracts';
import type { FastifyError, FastifyReply } from 'fastify';
import type { DashboardContext } from './dashboard-context.ts';

/** Answers with a problem document of the same form as the API's. */
export function sendProblem(thrown: unknown, reply: FastifyReply, logger: DashboardContext['logger']): FastifyReply {
  const error = isFlotillaError(thrown) ? thrown : fromFastify(thrown as FastifyError);
  const { status, title } = ERROR_CODES[error.code];
  if (status >= 500 && error.code === 'INTERNAL') logger.error({ error: thrown }, 'a request failed');
  const document = { type: 'about:blank', title, status, code: error.code, detail: error.message };
  return reply.code(status).type('application/problem+json').send(JSON.stringify(document));
}

function fromFastify(error: FastifyError): FlotillaError {
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new FlotillaError('BAD_HTTP', error.message, { cause: error });
  }
  return new FlotillaError('INTERNAL', 'something went wrong inside the dashboard', { cause: error });
}
