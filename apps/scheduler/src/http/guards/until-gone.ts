import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Aborts when the answer has ended, its connection has closed or the server closes, whichever comes first. A caller that
 * hung up earlier, while the handler awaited something, aborts it at once: `close` is emitted once and cannot be heard
 * afterwards. The connection counts by itself, since an answer that waits behind another on it (pipelining) has no
 * socket yet.
 */
export function untilGone(
  { raw: { socket } }: FastifyRequest,
  { raw: answer }: FastifyReply,
  closing: AbortSignal,
): AbortSignal {
  const gone = new AbortController();
  const end = (): void => {
    answer.off('close', end);
    socket.off('close', end);
    closing.removeEventListener('abort', end);
    gone.abort();
  };
  answer.once('close', end);
  socket.once('close', end);
  closing.addEventListener('abort', end, { once: true });
  if (answer.closed || socket.destroyed || closing.aborted) end();
  return gone.signal;
}
