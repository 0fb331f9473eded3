import type { Json } from '@flotilla/contracts';
import { retryTransient } from '@flotilla/redis';
import { FIELD, HEADER, LOOP_WAIT, PREFIX, STEP } from '../format.ts';
import { stateKey } from '../keys.ts';
import { decodeSources, parseItem, type SourceRun } from '../read-sources.ts';
import { parseRunMeta } from '../run-record.ts';

const READ_DEADLINE_MS = 30_000;

/** Where a loop stands that waits for the decision whether it goes on. */
export interface LoopPosition {
  /** That have ended. */
  iterations: number;
  /** What the expressions of the last one saw. */
  item: Json;
  /** Of the last one. */
  output: Json;
}

/** Undefined when the loop does not wait, or the run is gone. DATA_CORRUPTION when the last output is damaged. */
export async function readLoopPosition(
  run: Omit<SourceRun, 'createdAt'>,
  key: string,
): Promise<LoopPosition | undefined> {
  const { client, tag, runId } = run;
  const runKey = stateKey(tag, 'run', runId);
  const read = (...fields: string[]) =>
    retryTransient(() => client.hmget(runKey, ...fields), { deadlineMs: READ_DEADLINE_MS });
  const [packed, stored] = await read(FIELD.meta, PREFIX.header + key);
  const parts = stored?.split('|') ?? [];
  if (packed == null || parts[HEADER.state] !== STEP.waiting || parts[HEADER.waitKind] !== LOOP_WAIT) return undefined;
  const iterations = Number(parts[HEADER.subject]);
  const itemKey = `${key}.${iterations - 1}`;
  const fields = [PREFIX.header, PREFIX.output, PREFIX.item].map((prefix) => prefix + itemKey);
  const [header, output, itemJson] = await read(...fields);
  const { createdAt } = parseRunMeta(packed);
  const last = { key: itemKey, header: header ?? '', output: output ?? '' };
  const sourceRun = { ...run, createdAt };
  const [source] = (await decodeSources(sourceRun, [last])).values();
  return { iterations, item: parseItem(sourceRun, itemKey, itemJson), output: source?.output ?? null };
}
