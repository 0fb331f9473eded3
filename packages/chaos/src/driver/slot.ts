import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosProxy, FleetMember, ProcessExit } from '@flotilla/local-fleet';

type Environment = Record<string, string | undefined>;

export interface SlotOptions {
  index: number;
  proxy: ChaosProxy;
  /** Starts a process in this place and waits until it is ready. */
  launch: (env: Environment) => Promise<FleetMember>;
  /** Told when the process ends although nobody in here ended it. */
  onSelfEnd: (slot: Slot, member: FleetMember, exit: ProcessExit) => void;
}

const FIRST_START_MS = 90_000;
const BEFORE_NEXT_START_MS = 300;

/**
 * A place in the fleet: one process after the other, each behind the same proxy to Redis, started again when it has
 * ended, as a supervisor does.
 */
export class Slot {
  readonly index: number;
  readonly proxy: ChaosProxy;
  /** A fault has hold of it. */
  isHeld = false;
  readonly #options: SlotOptions;
  #member: FleetMember | undefined;
  #starting: Promise<FleetMember> | undefined;
  #closed = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.index = options.index;
    this.proxy = options.proxy;
  }

  /** The process that is ready; undefined while none is. */
  get member(): FleetMember | undefined {
    return this.#member?.process.running() === true && this.#member.endedAt === undefined ? this.#member : undefined;
  }

  get isUp(): boolean {
    return this.member !== undefined && this.#starting === undefined;
  }

  /**
   * Starts a process, again and again until one is ready: while Redis is away none can start. Rejects when none has become
   * ready in time, but only the first of all: whoever has worked once can start, and waits for Redis or the machine.
   */
  start(env: Environment = {}): Promise<FleetMember> {
    this.#starting ??= this.#untilReady(env).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** SIGKILL now and another in its place; the promise is that of the new one. */
  async killAndStart(): Promise<{ killed: FleetMember; exit: ProcessExit; started: Promise<FleetMember> }> {
    const killed = this.#require();
    await killed.kill9();
    return { killed, exit: await killed.process.exited, started: this.start() };
  }

  /** SIGTERM, and another in its place when it has ended. */
  async restart(env: Environment = {}): Promise<{ ended: FleetMember; exit: ProcessExit; tookMs: number }> {
    const ended = this.#require();
    const { tookMs, ...exit } = await ended.terminate();
    await this.start(env);
    return { ended, exit, tookMs };
  }

  /** No process is started here any more. */
  close(): void {
    this.#closed = true;
  }

  #require(): FleetMember {
    const { member } = this;
    if (member === undefined) throw new Error(`no process runs in slot ${this.index}`);
    return member;
  }

  async #untilReady(env: Environment): Promise<FleetMember> {
    const endsAt = performance.now() + FIRST_START_MS;
    for (;;) {
      try {
        const member = await this.#options.launch(env);
        this.#member = member;
        void member.process.exited.then((exit) => this.#afterEnd(member, exit));
        return member;
      } catch (error) {
        const isFirst = this.#member === undefined;
        if (this.#closed || (isFirst && performance.now() > endsAt)) throw error;
        await pause(BEFORE_NEXT_START_MS);
      }
    }
  }

  #afterEnd(member: FleetMember, exit: ProcessExit): void {
    if (this.#closed || this.#member !== member || member.endedAt !== undefined) return;
    this.#options.onSelfEnd(this, member, exit);
    // It fails when the slot is closed meanwhile.
    this.start().catch(() => undefined);
  }
}
