import type { Json } from '@flotilla/contracts';
import { type RedisClient, retryTransient } from '@flotilla/redis';
import { FIELD, PREFIX, STEP, WAIT_FIELD } from '../format.ts';
import { stateKey } from '../keys.ts';
import type { StepKey } from '../plan-shape.ts';
import { parseRunMeta } from '../run-record.ts';
import { parseStepHeader, type StoredWait } from '../step-header.ts';

export interface OpenWait extends StoredWait {
  createdAt: number;
  startedAt: number;
  /** When its time is over; undefined without a limit. */
  dueAt: number | undefined;
  /** What was stored when it was started: of an approval its action and digest. */
  detail: Json;
  /** The message that answers it; undefined while there is none. */
  message: Json | undefined;
}

const READ_DEADLINE_MS = 30_000;

/** What a step waits for, and its answer; undefined when it does not wait, or the run is gone. */
export async function readWait(
  client: RedisClient,
  { tag, runId, key }: { tag: string; runId: string; key: StepKey },
): Promise<OpenWait | undefined> {
  const runKey = stateKey(tag, 'run', runId);
  const read = (fields: readonly string[]) =>
    retryTransient(() => client.hmget(runKey, ...fields), { deadlineMs: READ_DEADLINE_MS });
  const [packed, stored, detail] = await read([FIELD.meta, PREFIX.header + key, WAIT_FIELD.detail + key]);
  if (packed == null || stored == null) return undefined;
  const { createdAt } = parseRunMeta(packed);
  const { wait, startedAt = createdAt, dueAt } = parseStepHeader(stored, createdAt);
  if (wait === undefined) return undefined;
  const [message] = /^\d+$/.test(wait.answer) ? await read([WAIT_FIELD.message + wait.answer]) : [undefined];
  return {
    ...wait,
    createdAt,
    startedAt,
    dueAt,
    detail: detail == null ? null : (JSON.parse(detail) as Json),
    message: message == null ? undefined : (JSON.parse(message) as Json),
  };
}

/** Keys of the steps of a run that wait for something from outside. */
export async function listOpenWaits(
  client: RedisClient,
  { tag, runId }: { tag: string; runId: string },
  keys: readonly StepKey[],
): Promise<{ key: StepKey; wait: StoredWait }[]> {
  if (keys.length === 0) return [];
  const headers = await client.hmget(stateKey(tag, 'run', runId), ...keys.map((key) => PREFIX.header + key));
  return keys.flatMap((key, index) => {
    const stored = headers[index];
    const wait = stored?.startsWith(STEP.waiting) ? parseStepHeader(stored, 0).wait : undefined;
    return wait === undefined ? [] : [{ key, wait }];
  });
}

/** The step that waits for this child run; undefined of a run that is nobody's child. */
export async function readParent(
  client: RedisClient,
  { tag, runId }: { tag: string; runId: string },
): Promise<{ runId: string; key: StepKey } | undefined> {
  const stored = await client.hget(stateKey(tag, 'run', runId), WAIT_FIELD.parent);
  const [, parentId, key] = /^(.+)\|([^|]+)$/.exec(stored ?? '') ?? [];
  return parentId === undefined || key === undefined ? undefined : { runId: parentId, key };
}
