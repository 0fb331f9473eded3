import { FlotillaError } from '@flotilla/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Bytes of bodies that are read or worked on at once, over all requests: as values they take several times as much. */
const MAX_BODY_BYTES_IN_FLIGHT = 64 * 1024 * 1024;

/** Counts what is being worked on and refuses more than the limit, at once and before a body is read. */
export class InFlightLimit {
  readonly #maxRequests: number;
  readonly #maxBodyBytes: number;
  #requests = 0;
  #bodyBytes = 0;

  /** `maxBodyBytes` is what a body without a declared length is taken for. */
  constructor(maxRequests: number, maxBodyBytes: number) {
    this.#maxRequests = maxRequests;
    this.#maxBodyBytes = maxBodyBytes;
  }

  get requests(): number {
    return this.#requests;
  }

  /** OVERLOADED with a time to retry. What is let in is counted until its answer has ended or its connection closed. */
  enter(request: FastifyRequest, reply: FastifyReply): void {
    const bytes = this.#declaredBytes(request);
    const full = this.#requests >= this.#maxRequests;
    if (full || (this.#bodyBytes > 0 && this.#bodyBytes + bytes > MAX_BODY_BYTES_IN_FLIGHT)) {
      const what = full ? `${this.#requests} requests` : `${this.#bodyBytes} bytes of requests`;
      // Spread, so that those who were refused together do not come back together.
      const retryAfterMs = 500 + Math.round(Math.random() * 1000);
      throw new FlotillaError('OVERLOADED', `${what} are being worked on; try again later`, { retryAfterMs });
    }
    this.#requests += 1;
    this.#bodyBytes += bytes;
    reply.raw.once('close', () => {
      this.#requests -= 1;
      this.#bodyBytes -= bytes;
    });
  }

  #declaredBytes(request: FastifyRequest): number {
    const declared = Number(request.headers['content-length'] ?? 0);
    const bytes = request.headers['transfer-encoding'] === undefined ? declared : this.#maxBodyBytes;
    return Number.isFinite(bytes) ? Math.min(bytes, this.#maxBodyBytes) : this.#maxBodyBytes;
  }
}
