import { FlotillaError, type Json } from '@flotilla/contracts';
import { type RedisClient, retryTransient } from '@flotilla/redis';
import { chainChecksums } from './checkpoint.ts';
import type { CheckpointSeal } from './checkpoint-seal.ts';
import { PREFIX, STEP } from './format.ts';
import { stateKey } from './keys.ts';
import { loopTurns } from './loop-turns.ts';
import { outputOfItems, takesTurns } from './output-of-items.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { headerAndOutput, headerField } from './run-fields.ts';
import type { SourceReading } from './source-reading.ts';
import { HEADER_STATUS, parseStepHeader, type StepHeader, type StoredMap } from './step-header.ts';
import type { StoredStep } from './transitions/claimed-attempt.ts';

/** A step as expressions see it, with the checksum that chains what is made from it. */
export interface Source {
  status: string;
  output: Json;
  error?: { code: string; message: string };
  /** Of a map that has succeeded: why items of it failed. */
  failures?: readonly { index: number; code: string; message: string }[];
  /** '' when it has no checkpoint. */
  checksum: string;
}

export interface SourceRun {
  client: RedisClient;
  plan: PlanShape;
  tag: string;
  runId: string;
  createdAt: number;
  seal: CheckpointSeal;
  /** Counts what is read. */
  reading: SourceReading;
}

/** Steps that are read at once: at first few, for each may be large; more as long as they are small. */
const FIRST_PAGE = 8;
const MAX_PAGE = 500;
const SMALL_PAGE_CHARACTERS = 131_072;

/** Steps that an attempt reads, verified: DATA_CORRUPTION when a checkpoint does not match its checksum. */
export async function decodeSources(run: SourceRun, stored: readonly StoredStep[]): Promise<Map<number, Source>> {
  const sources = new Map<number, Source>();
  for (const { key, header, output } of stored) {
    sources.set(Number(key), await decodeSource(run, key, header, output));
  }
  return sources;
}

/** Reads and verifies steps that did not come with a claim. */
export async function readSources(run: SourceRun, steps: readonly number[]): Promise<Map<number, Source>> {
  const sources = new Map<number, Source>();
  let size = FIRST_PAGE;
  for (let first = 0; first < steps.length; ) {
    const keys = steps.slice(first, first + size).map(String);
    first += keys.length;
    const values = await readFields(
      run,
      keys.flatMap((key) => headerAndOutput(key)),
    );
    const stored = keys.map((key, index) => {
      return { key, header: values[index * 2] ?? '', output: values[index * 2 + 1] ?? '' };
    });
    for (const [index, source] of await decodeSources(run, stored)) sources.set(index, source);
    size = nextPageSize(size, stored);
  }
  return sources;
}

function nextPageSize(size: number, stored: readonly { output: string }[]): number {
  const characters = stored.reduce((sum, { output }) => sum + output.length, 0);
  return characters > SMALL_PAGE_CHARACTERS ? FIRST_PAGE : Math.min(MAX_PAGE, size * 4);
}

async function decodeSource(run: SourceRun, key: string, stored: string, output: string): Promise<Source> {
  if (stored === '') return { status: 'waiting', output: null, checksum: '' };
  const header = parseStepHeader(stored, run.createdAt);
  if (isOfAnotherState(stored, header)) throw corrupt(run, key, 'has a state that was not written');
  if (header.state === STEP.mapSucceeded) return readMapOutput(run, key, header.map!);
  await run.reading.count(output.length);
  return loopTurns.run(() => decodeSettled(run, key, header, output));
}

function decodeSettled(run: SourceRun, key: string, header: StepHeader, output: string): Source {
  const status = HEADER_STATUS[header.state];
  if (header.state === STEP.succeeded) {
    const stepId = stepIdOf(run.plan, key);
    const { checkpoint, fence = run.createdAt } = header;
    run.seal.verify(
      {
        runId: run.runId,
        stepId,
        seq: checkpoint?.seq ?? 0,
        fence,
        stateJson: output,
        ts: checkpoint?.ts ?? 0,
        previous: checkpoint?.previous ?? '',
      },
      checkpoint?.checksum,
    );
    return { status, output: JSON.parse(output) as Json, checksum: checkpoint!.checksum };
  }
  if (header.state === STEP.failed || header.state === STEP.quarantined) {
    return { status, output: null, checksum: '', error: parseFailure(run, key, output) };
  }
  return { status, output: null, checksum: '' };
}

const LONGEST_NUMBER = 20;

/** Only the header of a success carries a checksum, and there is none without a state: a letter has been changed. */
function isOfAnotherState(stored: string, { state }: StepHeader): boolean {
  if (state === STEP.succeeded) return false;
  return HEADER_STATUS[state] === undefined || (stored.split('|')[11] ?? '').length > LONGEST_NUMBER;
}

function corrupt({ plan, runId }: SourceRun, key: string, what: string): FlotillaError {
  return new FlotillaError('DATA_CORRUPTION', `the checkpoint of step ${stepIdOf(plan, key)} in run ${runId} ${what}`);
}

function parseFailure(run: SourceRun, key: string, stored: string): { code: string; message: string } {
  try {
    const { code, message } = JSON.parse(stored || '{}') as { code?: string; message?: string };
    return { code: code ?? 'STEP_FAILED', message: message ?? '' };
  } catch {
    throw corrupt(run, key, 'has an error that cannot be read');
  }
}

/**
 * A map's output is its items' outputs in order; a tolerated failed item is null. Each item proves itself; that there are
 * as many as the map has succeeded with, and as many that failed, is checked here: DATA_CORRUPTION.
 */
async function readMapOutput(run: SourceRun, key: string, map: StoredMap): Promise<Source> {
  const { items, failed } = map;
  const kind = run.plan.steps[Number(key)]?.kind;
  if (!Number.isSafeInteger(items)) throw corrupt(run, key, 'does not say how many items it has');
  const output: Json[] = [];
  const checksums: string[] = [];
  const failures: { index: number; code: string; message: string }[] = [];
  let without = 0;
  let [first, size] = [0, FIRST_PAGE];
  let following: string | null | undefined;
  do {
    const keys = Array.from({ length: Math.min(size, items - first) }, (_, index) => `${key}.${first + index}`);
    const fields = keys.flatMap((item) => headerAndOutput(item));
    first += keys.length;
    const values = await readFields(run, [...fields, headerField(`${key}.${first}`)]);
    following = values.at(-1);
    const stored = keys.map((item, index) => {
      return { key: item, header: values[index * 2] ?? '', output: values[index * 2 + 1] ?? '' };
    });
    for (const item of stored) {
      const source = await decodeSource(run, item.key, item.header, item.output);
      if (source.checksum === '') without += 1;
      // A broadcast that was decided has items that were stopped.
      if (source.checksum === '' && source.error === undefined && kind !== 'broadcast') {
        throw corrupt(run, item.key, 'is gone');
      }
      if (source.error !== undefined) failures.push({ index: output.length, ...source.error });
      output.push(source.output);
      checksums.push(source.checksum);
    }
    size = nextPageSize(size, stored);
  } while (first < items);
  const isComplete = kind === 'broadcast' || without === failed;
  if (!isComplete || following != null) throw corrupt(run, key, 'has other items than it has succeeded with');
  const checksum = chainChecksums(checksums);
  const lastTurn = await readLastTurn(run, key, kind, items);
  const made = { outputs: output, succeeded: items - without, endedBy: map.endedBy ?? 'limit', lastTurn };
  return { status: 'succeeded', output: outputOfItems(kind, made), failures, checksum };
}

/** What the expressions of an item saw. */
export function parseItem(run: SourceRun, key: string, itemJson: string | null | undefined): Json {
  try {
    return JSON.parse(itemJson ?? 'null') as Json;
  } catch {
    throw corrupt(run, key, 'has an item that cannot be read');
  }
}

/** What the last turn of a step whose items take turns saw: it knows who had the turns before. */
async function readLastTurn(run: SourceRun, key: string, kind: string | undefined, items: number): Promise<Json> {
  if (kind === undefined || !takesTurns(kind)) return null;
  const last = `${key}.${items - 1}`;
  const [itemJson] = await readFields(run, [PREFIX.item + last]);
  return parseItem(run, last, itemJson);
}

/** How long a read is tried through a Redis outage; then REDIS_UNAVAILABLE, which is nobody's failed attempt. */
const READ_DEADLINE_MS = 30_000;

function readFields(run: SourceRun, fields: readonly string[]): Promise<(string | null)[]> {
  const key = stateKey(run.tag, 'run', run.runId);
  return retryTransient(() => run.client.hmget(key, ...fields), { deadlineMs: READ_DEADLINE_MS });
}
