import type { Socket } from 'node:net';

/** `to-server`: what the client sends. `to-client`: what the server answers. */
export type LinkDirection = 'to-server' | 'to-client';

/** What becomes of a chunk of bytes at the moment it arrives. */
export type ChunkFate =
  | { kind: 'forward'; delayMs: number; bytesPerSecond: number | undefined }
  /** Kept, and sent on when the fate of new chunks is `forward` again: packets that TCP repeats until they get through. */
  | { kind: 'hold' }
  /** Gone. The connection can carry nothing more in that direction, as bytes are missing. */
  | { kind: 'swallow' }
  /** The peer has forgotten the connection, and says so to whoever uses it. */
  | { kind: 'reset' };

export interface LinkCounts {
  forwarded: number;
  held: number;
  swallowed: number;
}

/** More than this waiting in one direction stops the reading there, as a full TCP window does. */
const MOST_WAITING_BYTES = 1024 * 1024;

/** One direction of one proxied connection: keeps the order of the bytes, delays, holds or swallows them. */
export class ChaosLink {
  readonly direction: LinkDirection;
  /** Bytes were swallowed, so the connection is of no use once bytes flow again. */
  broken = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #fateOf: () => ChunkFate;
  readonly #counts: LinkCounts;
  readonly #waiting: { chunk: Buffer; dueAt: number }[] = [];
  #waitingBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    direction: LinkDirection,
    ends: { from: Socket; to: Socket },
    fateOf: () => ChunkFate,
    counts: LinkCounts,
  ) {
    this.direction = direction;
    this.#from = ends.from;
    this.#to = ends.to;
    this.#fateOf = fateOf;
    this.#counts = counts;
    this.#from.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#to.on('drain', () => this.#readOn());
    // What the one side says goodbye to reaches the other after what was sent before.
    this.#from.on('end', () => {
      this.#ended = true;
      this.#pump();
    });
    this.#from.on('close', () => this.#stop());
    this.#to.on('close', () => this.#stop());
  }

  /** To be called when the fate of chunks has changed. */
  reconsider(): void {
    this.#pump();
  }

  #take(chunk: Buffer): void {
    const fate = this.#fateOf();
    if (fate.kind === 'reset') {
      this.#from.resetAndDestroy();
      return;
    }
    if (fate.kind === 'swallow' || this.broken) {
      this.broken = true;
      this.#counts.swallowed += chunk.length;
      return;
    }
    if (fate.kind === 'hold') this.#counts.held += chunk.length;
    this.#waiting.push({ chunk, dueAt: fate.kind === 'forward' ? this.#dueAt(chunk.length, fate) : 0 });
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#from.pause();
    this.#pump();
  }

  /** Never before the chunk in front of it; a narrow line also takes its time over each byte. */
  #dueAt(bytes: number, { delayMs, bytesPerSecond }: Extract<ChunkFate, { kind: 'forward' }>): number {
    const now = performance.now();
    let dueAt = Math.max(this.#lastDueAt, now + delayMs);
    if (bytesPerSecond !== undefined) dueAt += (bytes / bytesPerSecond) * 1000;
    this.#lastDueAt = dueAt;
    return dueAt;
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fate = this.#fateOf();
    if (fate.kind === 'hold' || this.#to.destroyed) return;
    if (fate.kind !== 'forward') {
      for (const { chunk } of this.#waiting.splice(0)) {
        this.broken = true;
        this.#counts.swallowed += chunk.length;
      }
      this.#waitingBytes = 0;
      return;
    }
    const now = performance.now();
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.dueAt > now) {
        this.#timer = setTimeout(() => this.#pump(), Math.max(1, first.dueAt - now));
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= first.chunk.length;
      this.#counts.forwarded += first.chunk.length;
      this.#to.write(first.chunk);
    }
    if (this.#ended && !this.broken) this.#to.end();
    this.#readOn();
  }

  #readOn(): void {
    if (this.#to.writableNeedDrain) this.#from.pause();
    else if (this.#waitingBytes <= MOST_WAITING_BYTES) this.#from.resume();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }
}
