import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** Any bytes as a body; only the connection, and what a path with `..` in it means, are left to `fetch`. */
export async function sendBytes(url: string, method: string, path: string, bytes?: Uint8Array): Promise<RawAnswer> {
  const answer = await fetch(url + path, {
    method,
    signal: AbortSignal.timeout(20_000),
    ...(bytes === undefined ? {} : { body: Buffer.from(bytes), headers: { 'content-type': 'application/json' } }),
  });
  const contentType = answer.headers.get('content-type') ?? '';
  if (contentType.startsWith('text/event-stream')) {
    // A stream of events has no end of its own: its head is the answer. `/v1/runs/../events` is `/v1/events`.
    await answer.body?.cancel();
    return { status: answer.status, contentType, body: '' };
  }
  return { status: answer.status, contentType, body: await answer.text() };
}

/** A connection on which a test says every byte; keeps what comes back. */
export class RawConnection {
  readonly #socket: Socket;
  readonly closed: Promise<void>;
  received = '';
  sentBytes = 0;

  constructor(url: string) {
    const { port, hostname } = new URL(url);
    this.#socket = connect(Number(port), hostname);
    this.#socket.setEncoding('utf8').on('data', (part) => {
      this.received += part;
    });
    // The server hangs up on what it refuses: a reset while writing is an answer, too.
    this.#socket.on('error', () => this.#socket.destroy());
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()));
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Resolves when there is room for more; at once when the connection is closed. */
  async write(bytes: string | Uint8Array): Promise<void> {
    if (!this.isOpen) return;
    this.sentBytes += bytes.length;
    if (this.#socket.write(bytes)) return;
    await Promise.race([this.closed, new Promise((resolve) => this.#socket.once('drain', resolve))]);
  }

  end(): void {
    this.#socket.destroy();
  }
}

export const postHead = (path: string, ...headers: readonly string[]) =>
  [`POST ${path} HTTP/1.1`, 'host: localhost', 'content-type: application/json', ...headers, '', ''].join('\r\n');
