import { FlotillaError, type RunStatus } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import type { CheckpointSeal } from './checkpoint-seal.ts';
import { DUE, type DueLetter, FIELD, HEADER, PREFIX, RUN, STEP, WAIT_FIELD } from './format.ts';
import { stateKey } from './keys.ts';
import type { PlanShape, StepKey } from './plan-shape.ts';
import { decodeSources, readSources, type Source } from './read-sources.ts';
import { readRedisTime } from './redis-time.ts';
import { RunReset } from './reopening/run-reset.ts';
import { cleanupField, headerField, outputField } from './run-fields.ts';
import { hasEnded, parseRunMeta, type RunMeta, runStatusOf } from './run-record.ts';
import { parseUsage, type Usage } from './run-usage.ts';
import type { SourceReading } from './source-reading.ts';
import { parseStepHeader, type StepHeader } from './step-header.ts';
import type { StepAddress } from './transitions/addresses.ts';
import type { StoredStep } from './transitions/claimed-attempt.ts';
import type { Transitions } from './transitions.ts';

/** Fields of one read: what Redis gives in well under a millisecond. */
const PAGE = 500;

const GOES_ON: ReadonlySet<string> = new Set([RUN.pending, RUN.running, RUN.paused]);

export interface QueuedTimeFacts {
  /** Redis' clock, here and below. */
  now: number;
  isPaused: boolean;
  /** When the run was resumed last. */
  resumedAt: number | undefined;
  header: StepHeader | undefined;
  /** When the parked step is looked at again. */
  parkedUntil: number | undefined;
}

/** A run that was opened again. */
export interface RunOpening {
  createdAt: number;
  /** What is to be made again is being taken away; the run does not go on yet. */
  isReopening: boolean;
  goesOn: boolean;
  opening: number;
  /** Of earlier openings, whose steps have been undone. */
  cleanups: number;
  /** What the last retry asked for. */
  selectionJson: string;
}

/** How a run ended, without what it worked on. */
export interface RunEnd {
  status: RunStatus;
  workflow: string;
  version: string | undefined;
  createdAt: number;
  endedAt: number;
  /** From 1. */
  opening: number;
  traceparent: string | undefined;
}

export interface RunHandleDependencies {
  client: RedisClient;
  seal: CheckpointSeal;
  transitions: Transitions;
}

/** What the expressions of a run may read of its steps. */
export interface RunSources {
  /** Verified: DATA_CORRUPTION when a checkpoint does not match its checksum. */
  read(steps: readonly number[]): Promise<Map<number, Source>>;
  /** The same, of steps that came with a claim. */
  decode(stored: readonly StoredStep[]): Promise<Map<number, Source>>;
}

/** One run, for those who act on it: its address, and what they read of it. Nothing is remembered: each read asks Redis. */
export class RunHandle {
  readonly runId: string;
  readonly tag: string;
  readonly #client: RedisClient;
  readonly #seal: CheckpointSeal;
  readonly #transitions: Transitions;
  readonly #key: string;

  constructor(dependencies: RunHandleDependencies, tag: string, runId: string) {
    this.runId = runId;
    this.tag = tag;
    this.#client = dependencies.client;
    this.#seal = dependencies.seal;
    this.#transitions = dependencies.transitions;
    this.#key = stateKey(tag, 'run', runId);
  }

  address(key: StepKey): StepAddress {
    return { tag: this.tag, runId: this.runId, key };
  }

  /** Undefined when there is no such run. */
  async readMeta(): Promise<RunMeta | undefined> {
    const packed = await this.#client.hget(this.#key, FIELD.meta);
    return packed == null ? undefined : parseRunMeta(packed);
  }

  /** Undefined when there is no such run. */
  async readDefinitionHash(): Promise<string | undefined> {
    return (await this.#client.hget(this.#key, FIELD.definition)) ?? undefined;
  }

  /** When the run was created. RUN_NOT_FOUND. */
  async readCreatedAt(): Promise<number> {
    const meta = await this.readMeta();
    if (meta === undefined) throw this.#notFound();
    return meta.createdAt;
  }

  /** What its expressions are evaluated with, besides its steps. RUN_NOT_FOUND. */
  async readStart(): Promise<{ createdAt: number; inputJson: string }> {
    const [packed, inputJson] = await this.#client.hmget(this.#key, FIELD.meta, FIELD.input);
    if (packed == null) throw this.#notFound();
    return { createdAt: parseRunMeta(packed).createdAt, inputJson: inputJson ?? 'null' };
  }

  /** What its caller's `traceparent` said. */
  async readTraceparent(): Promise<string | undefined> {
    return (await this.#client.hget(this.#key, FIELD.traceparent)) ?? undefined;
  }

  /** How it ended; undefined of a run that has not, or is not there. */
  async readEnd(): Promise<RunEnd | undefined> {
    const fields = [
      FIELD.meta,
      FIELD.workflow,
      FIELD.version,
      FIELD.endedAt,
      FIELD.opening,
      FIELD.traceparent,
    ] as const;
    const [packed, workflow, version, ended, opening, traceparent] = await this.#client.hmget(this.#key, ...fields);
    if (packed == null || ended == null) return undefined;
    const { letter, createdAt } = parseRunMeta(packed);
    if (!hasEnded(letter)) return undefined;
    return {
      status: runStatusOf(letter),
      workflow: workflow ?? '',
      version: version ?? undefined,
      createdAt,
      endedAt: createdAt + Number(ended),
      opening: opening == null ? 1 : Number.parseInt(opening, 10),
      traceparent: traceparent ?? undefined,
    };
  }

  /** What its attempts have used, and its definition. RUN_NOT_FOUND. */
  async readUsage(): Promise<Usage & { definitionHash: string }> {
    const [hash, usage] = await this.#client.hmget(this.#key, FIELD.definition, WAIT_FIELD.usage);
    if (hash == null) throw this.#notFound();
    return { ...parseUsage(usage), definitionHash: hash };
  }

  /** Whether steps of it may start: it has not ended, and is neither ending nor being reopened. */
  async goesOn(): Promise<boolean> {
    const meta = await this.readMeta();
    return meta !== undefined && GOES_ON.has(meta.letter);
  }

  /**
   * Whether an attempt still has what it took from channels: it runs, or has committed and a scheduler has yet to acknowledge
   * that. `fence` as an outbox entry tells it.
   */
  async holdsTaken(key: StepKey, fence: string): Promise<boolean> {
    const parts = (await this.#client.hget(this.#key, headerField(key)))?.split('|') ?? [];
    if (parts[HEADER.state] === STEP.running && parts[HEADER.fence] === fence) return true;
    return (await this.readChannelWork(key, fence)) !== undefined;
  }

  /** What a committed attempt has done with channels (JSON, `ChannelWork`), until that is carried out; `fence` as an outbox entry tells it. */
  async readChannelWork(key: StepKey, fence: string): Promise<string | undefined> {
    return (await this.#client.hget(this.#key, `${WAIT_FIELD.channelWork}${key}|${fence}`)) ?? undefined;
  }

  /** The run's creation and a step's header; undefined when there is no such run. */
  async readStep(key: StepKey): Promise<{ createdAt: number; header: StepHeader | undefined } | undefined> {
    const [packed, header] = await this.#client.hmget(this.#key, FIELD.meta, headerField(key));
    if (packed == null) return undefined;
    const { createdAt } = parseRunMeta(packed);
    return { createdAt, header: header == null ? undefined : parseStepHeader(header, createdAt) };
  }

  /** What says whether a step's queued time has run; undefined when there is no such run. */
  async readQueuedTime(key: StepKey): Promise<QueuedTimeFacts | undefined> {
    const [[packed, resumedAt, stored], parkedUntil, now] = await Promise.all([
      this.#client.hmget(this.#key, FIELD.meta, FIELD.resumedAt, headerField(key)),
      this.#client.zscore(stateKey(this.tag, 'due'), this.#dueMember(DUE.parked, key)),
      readRedisTime(this.#client),
    ]);
    if (packed == null) return undefined;
    const { letter, createdAt } = parseRunMeta(packed);
    return {
      now,
      isPaused: letter === RUN.paused,
      resumedAt: resumedAt == null ? undefined : createdAt + Number(resumedAt),
      header: stored == null ? undefined : parseStepHeader(stored, createdAt),
      parkedUntil: parkedUntil == null ? undefined : Number(parkedUntil),
    };
  }

  /** Unless an attempt has ended it meanwhile. */
  async putOffQueuedLimit(key: StepKey, at: number): Promise<void> {
    await this.#client.zadd(stateKey(this.tag, 'due'), 'XX', at, this.#dueMember(DUE.queuedLimit, key));
  }

  /** Headers of steps, in their order; undefined of one that has none. */
  async readHeaders(keys: readonly (StepKey | number)[], createdAt: number): Promise<(StepHeader | undefined)[]> {
    const stored = await this.#readFields(keys.map((key) => headerField(key)));
    return stored.map((header) => (header === null ? undefined : parseStepHeader(header, createdAt)));
  }

  /** Whether a step runs as this attempt. */
  async isHeldBy(key: StepKey, attemptId: string): Promise<boolean> {
    const parts = (await this.#client.hget(this.#key, headerField(key)))?.split('|') ?? [];
    return parts[HEADER.state] === STEP.running && parts[HEADER.attemptId] === attemptId;
  }

  /** Output or error of a step as JSON; undefined when there is none. */
  async readOutput(key: StepKey | number): Promise<string | undefined> {
    return (await this.#client.hget(this.#key, outputField(key))) ?? undefined;
  }

  /** Counters of groups, in their order; undefined of one that counts from the start. */
  async readCounters(groups: readonly number[]): Promise<(number | undefined)[]> {
    const stored = await this.#readFields(groups.map((group) => `${PREFIX.counter}${group}`));
    return stored.map((counter) => (counter === null ? undefined : Number(counter)));
  }

  /** Which items of a map have succeeded. */
  async readSucceededItems(map: number, items: number): Promise<boolean[]> {
    const headers = await this.#readFields(Array.from({ length: items }, (_, item) => headerField(`${map}.${item}`)));
    return headers.map((header) => header?.startsWith(STEP.succeeded) === true);
  }

  /** The opening in which steps were made again after they had been undone; undefined of one that was not. */
  async readRedoneIn(keys: readonly (StepKey | number)[]): Promise<(number | undefined)[]> {
    const stored = await this.#readFields(keys.map((key) => PREFIX.redoneIn + key));
    return stored.map((opening) => (opening === null ? undefined : Number(opening)));
  }

  /** Undefined when there is no such run, or it was never opened again. */
  async readOpening(): Promise<RunOpening | undefined> {
    const [packed, stored] = await this.#client.hmget(this.#key, FIELD.meta, FIELD.opening);
    const found = /^(\d+)\|(\d+)\|(.*)$/s.exec(stored ?? '');
    if (packed == null || found === null) return undefined;
    const { letter, createdAt } = parseRunMeta(packed);
    const [, opening, cleanups, selectionJson = ''] = found;
    return {
      createdAt,
      isReopening: letter === RUN.reopening,
      goesOn: GOES_ON.has(letter),
      opening: Number(opening),
      cleanups: Number(cleanups),
      selectionJson,
    };
  }

  /** Of the first `count` cleanups, in their order, the step that each belongs to; undefined of a lost registration. */
  async readCleanupSteps(count: number): Promise<(StepKey | undefined)[]> {
    const entries = await this.#readFields(Array.from({ length: count }, (_, number) => cleanupField(number)));
    return entries.map((entry) => /^\d+(?:\.\d+)?/.exec(entry ?? '')?.[0]);
  }

  /** What a retry takes away and sets while the run is being reopened. */
  reset(opening: number): RunReset {
    return new RunReset(opening, (slice) => this.#transitions.resetSteps(this.tag, this.runId, opening, slice));
  }

  async #readFields(fields: readonly string[]): Promise<(string | null)[]> {
    const values: (string | null)[] = [];
    for (let first = 0; first < fields.length; first += PAGE) {
      values.push(...(await this.#client.hmget(this.#key, ...fields.slice(first, first + PAGE))));
    }
    return values;
  }

  /** `reading` counts what is read. */
  sources(plan: PlanShape, createdAt: number, reading: SourceReading): RunSources {
    const { tag, runId } = this;
    const run = { client: this.#client, seal: this.#seal, plan, tag, runId, createdAt, reading };
    return {
      read: (steps) => readSources(run, steps),
      decode: (stored) => decodeSources(run, stored),
    };
  }

  #dueMember(letter: DueLetter, key: StepKey): string {
    return `${letter}|${key}|${this.runId}`;
  }

  #notFound(): FlotillaError {
    return new FlotillaError('RUN_NOT_FOUND', `there is no run ${this.runId}`);
  }
}
