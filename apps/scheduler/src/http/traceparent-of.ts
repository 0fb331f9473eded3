import { formatTraceparent, parseTraceparent } from '@flotilla/telemetry';
import type { FastifyRequest } from 'fastify';

/** The caller's trace, as state keeps it. A header that is none is ignored, as https://www.w3.org/TR/trace-context/ has it. */
export function traceparentOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const { traceparent } = headers;
  const parent = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined;
  return parent && formatTraceparent(parent);
}
