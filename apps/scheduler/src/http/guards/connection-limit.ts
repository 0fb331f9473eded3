import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { FlotillaError } from '@flotilla/contracts';
import { PROBLEM_TYPE, retryAfterSeconds, toProblemDocument } from '../problem-document.ts';

const RETRY_AFTER_MS = 1000;
/** A peer that does not hang up although it was answered for the last time is cut off after this. */
const HANG_UP_AFTER_MS = 1000;

/**
 * Bounds the open connections of a server so that callers with something to ask still get in: one connection too many
 * costs the connection that has said nothing for longest, then the one that has been idle for longest between requests.
 * Only when all of them are waiting for answers is the newcomer refused, with OVERLOADED.
 */
export class ConnectionLimit {
  readonly #maxConnections: number;
  /** Without a complete request so far, the oldest first. */
  readonly #silent = new Set<Socket>();
  /** Answered and kept alive, the longest idle first. */
  readonly #idle = new Set<Socket>();
  /** Requests under way for each connection. */
  readonly #busy = new Map<Socket, number>();

  constructor(server: Server, maxConnections: number) {
    this.#maxConnections = maxConnections;
    server.on('connection', (socket: Socket) => this.#connect(socket));
    server.on('request', ({ socket }: IncomingMessage, answer: ServerResponse) => this.#work(socket, answer));
  }

  get connections(): number {
    return this.#silent.size + this.#idle.size + this.#busy.size;
  }

  #connect(socket: Socket): void {
    if (this.connections >= this.#maxConnections) {
      const [spare] = this.#silent.size > 0 ? this.#silent : this.#idle;
      if (spare === undefined) {
        refuse(socket, this.#maxConnections);
        return;
      }
      this.#forget(spare);
      spare.destroy();
    }
    this.#silent.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  #work(socket: Socket, answer: ServerResponse): void {
    if (socket.destroyed) return;
    this.#silent.delete(socket);
    this.#idle.delete(socket);
    this.#busy.set(socket, (this.#busy.get(socket) ?? 0) + 1);
    answer.once('close', () => {
      const left = (this.#busy.get(socket) ?? 0) - 1;
      if (left > 0) this.#busy.set(socket, left);
      else if (this.#busy.delete(socket) && !socket.destroyed) this.#idle.add(socket);
    });
  }

  #forget(socket: Socket): void {
    this.#silent.delete(socket);
    this.#idle.delete(socket);
    this.#busy.delete(socket);
  }
}

/** Says so in one answer, whatever the peer is about to send. */
function refuse(socket: Socket, maxConnections: number): void {
  const message = `${maxConnections} connections are being served; try again later`;
  const document = toProblemDocument(new FlotillaError('OVERLOADED', message, { retryAfterMs: RETRY_AFTER_MS }));
  hangUp(socket, `${document.status} Service Unavailable`, document, [
    `retry-after: ${retryAfterSeconds(RETRY_AFTER_MS)}`,
  ]);
}

/** Answers a connection for the last time, outside of any request, and closes it although its peer may not. */
export function hangUp(socket: Socket, status: string, document: object, headers: readonly string[] = []): void {
  const body = JSON.stringify(document);
  const head = [
    `HTTP/1.1 ${status}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...headers,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Ending closes one half only, and a silent peer leaves the other half open for ever.
  const timer = setTimeout(() => socket.destroy(), HANG_UP_AFTER_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
