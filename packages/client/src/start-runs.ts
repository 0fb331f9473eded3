import {
  type Durability,
  FlotillaError,
  isFlotillaError,
  type Json,
  MAX_BATCH_RUNS,
  type RunStarted,
  type RunsStarted,
} from '@flotilla/contracts';
import { errorOfProblem, isWorthRetrying } from './answer-errors.ts';
import { checkDefinition, checkInput } from './check-json.ts';
import type { CallOptions } from './client-options.ts';
import { nowMs, pause } from './deadline.ts';
import { newRunId } from './new-run-id.ts';
import type { Transport } from './transport.ts';

/** A registered workflow (`order` its latest version, `order@1.0.0` that one), or a definition (or legacy document). */
export type WorkflowReference = string | object;

export interface StartOptions {
  /** Any text up to 256 characters: the same key and body give the same run, whoever sends them. */
  idempotencyKey?: string;
  /** Default: an id of the client's own making, unless there is an idempotency key. */
  runId?: string;
  tags?: readonly string[];
  /**
   * What the answer waits for. Default `fast`: Redis has it, but may lose it if it is killed within 2 s, unless it has
   * `appendfsync always`. `fsynced`: it is on Redis' disk. `replicated`: a replica has it, too.
   */
  durability?: Durability;
}

export interface StartEntry extends StartOptions {
  workflow: WorkflowReference;
  input?: Json;
}

/** One start as it goes over the wire, made once and repeated as it is. */
interface PreparedStart {
  json: string;
  /** True when the run id is ours alone: then a run that exists already is the work of an earlier try. */
  ownId: boolean;
}

/** Body texts above this are split into several calls. */
const MAX_BATCH_CHARACTERS = 4 * 1024 * 1024;

export async function startRun(transport: Transport, entry: StartEntry, options: CallOptions): Promise<RunStarted> {
  const { json, ownId } = prepare(entry);
  const { value } = await transport.call<RunStarted>({
    ...callOptions(options),
    method: 'POST',
    path: '/v1/runs',
    body: json,
  });
  return ownId ? { ...value, deduplicated: false } : value;
}

/** Starts many runs; each answer is a RunStarted or the FlotillaError of that entry, in the order of the entries. */
export async function startRuns(
  transport: Transport,
  entries: readonly StartEntry[],
  options: CallOptions,
): Promise<(RunStarted | FlotillaError)[]> {
  const endsAt = nowMs() + (options.deadlineMs ?? transport.settings.deadlineMs);
  const answers = entries.map((): RunStarted | FlotillaError | undefined => undefined);
  const prepared = entries.map((entry, index) => {
    try {
      return prepare(entry);
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      answers[index] = error;
      return undefined;
    }
  });
  const { maxAttempts, maxMs } = transport.settings.retry;
  for (let attempt = 1; ; attempt += 1) {
    const open = indexesOf(prepared, (start, index) => start !== undefined && isOpen(answers[index]));
    for (const batch of batchesOf(open, prepared as readonly PreparedStart[])) {
      await sendBatch(transport, batch, prepared as readonly PreparedStart[], answers, {
        ...callOptions(options),
        deadlineMs: Math.max(1, endsAt - nowMs()),
      });
    }
    const pauseMs = pauseBefore(answers, maxMs);
    if (pauseMs === undefined || attempt >= maxAttempts || nowMs() + pauseMs >= endsAt) break;
    await pause(pauseMs, options.signal);
    if (options.signal?.aborted === true) break;
  }
  return answers as (RunStarted | FlotillaError)[];
}

function prepare(entry: StartEntry): PreparedStart {
  const { workflow, input, idempotencyKey, tags, durability } = entry;
  if (input !== undefined) checkInput(input);
  if (typeof workflow !== 'string') checkDefinition(workflow);
  const ownId = entry.runId === undefined && idempotencyKey === undefined;
  const runId = ownId ? newRunId() : entry.runId;
  const what = typeof workflow === 'string' ? { workflow } : { definition: workflow };
  return { json: JSON.stringify({ ...what, input, idempotencyKey, runId, tags, durability }), ownId };
}

async function sendBatch(
  transport: Transport,
  indexes: readonly number[],
  prepared: readonly PreparedStart[],
  answers: (RunStarted | FlotillaError | undefined)[],
  options: CallOptions,
): Promise<void> {
  const body = `{"runs":[${indexes.map((index) => prepared[index]!.json).join(',')}]}`;
  try {
    const { value } = await transport.call<RunsStarted>({ ...options, method: 'POST', path: '/v1/runs/batch', body });
    indexes.forEach((index, position) => {
      const run = value.runs[position];
      const missing = new FlotillaError('INTERNAL', 'the server has not answered this entry', { ambiguous: true });
      if (run === undefined) answers[index] = missing;
      else if ('error' in run) answers[index] = errorOfProblem(run.error);
      else answers[index] = prepared[index]!.ownId ? { ...run, deduplicated: false } : run;
    });
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    for (const index of indexes) answers[index] = error;
  }
}

function isOpen(answer: RunStarted | FlotillaError | undefined): boolean {
  return answer === undefined || (isFlotillaError(answer) && isWorthRetrying(answer));
}

/** Undefined when there is nothing to repeat. A call that failed as a whole has been repeated already. */
function pauseBefore(answers: readonly (RunStarted | FlotillaError | undefined)[], maxMs: number): number | undefined {
  const open = answers.filter((answer) => isFlotillaError(answer) && isOpen(answer)) as FlotillaError[];
  if (open.length === 0 || open.some((error) => error.code === 'SCHEDULER_UNREACHABLE')) return undefined;
  return Math.max(...open.map((error) => error.retryAfterMs ?? 0), Math.min(200, maxMs));
}

function indexesOf<Value>(values: readonly Value[], isWanted: (value: Value, index: number) => boolean): number[] {
  return values.flatMap((value, index) => (isWanted(value, index) ? [index] : []));
}

function* batchesOf(indexes: readonly number[], prepared: readonly PreparedStart[]): Generator<number[]> {
  let batch: number[] = [];
  let characters = 0;
  for (const index of indexes) {
    const { length } = prepared[index]!.json;
    if (batch.length >= MAX_BATCH_RUNS || (batch.length > 0 && characters + length > MAX_BATCH_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(index);
    characters += length;
  }
  if (batch.length > 0) yield batch;
}

function callOptions({ deadlineMs, signal }: CallOptions): CallOptions {
  return { ...(deadlineMs !== undefined && { deadlineMs }), ...(signal !== undefined && { signal }) };
}
