import type { Socket } from 'node:net';
import { type ErrorCode, FlotillaError } from '@flotilla/contracts';
import { hangUp } from './guards/connection-limit.ts';
import { toProblemDocument } from './problem-document.ts';

/** Node's error codes for what never became a request. */
const CODES: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'REQUEST_TOO_SLOW', message: 'the request did not arrive completely in time' },
  HPE_HEADER_OVERFLOW: { code: 'BAD_HTTP', message: 'the head of the request is too large' },
};

/** Answers a connection whose bytes are not a request that fastify ever sees: broken HTTP, too slow, too large a head. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const known = CODES[error.code ?? ''] ?? { code: 'BAD_HTTP' as const, message: 'this is not a valid HTTP request' };
  const document = toProblemDocument(new FlotillaError(known.code, known.message));
  hangUp(socket, `${document.status} ${document.status === 408 ? 'Request Timeout' : 'Bad Request'}`, document);
}
