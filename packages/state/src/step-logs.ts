import { FlotillaError, type LogIndex, type LogLevel, type LogLine, type StepLogs } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { pack } from './pack-arguments.ts';
import { type PlanShape, type StepKey, stepIdOf } from './plan-shape.ts';
import type { TransitionBatch } from './transition-batch.ts';

/** A line as a worker keeps it. */
export interface KeptLine {
  at: number;
  attempt: number;
  level: LogLevel;
  message: string;
  fields?: Record<string, unknown>;
  cut?: boolean;
}

export interface LogChunk {
  tag: string;
  runId: string;
  key: StepKey;
  /** Names this piece among those of all attempts of the step. */
  chunk: string;
  lines: readonly KeptLine[];
  /** Lines that were left out before these. */
  dropped: number;
}

/** Keeps lines with their run. A run that is gone, or has too many, keeps none. */
export async function appendLogs(batch: TransitionBatch, { tag, runId, key, chunk, lines, dropped }: LogChunk) {
  const args = pack('append-logs', { runId, key, chunk, dropped });
  await batch.apply(tag, 'append-logs', [...args, ...lines.map((line) => JSON.stringify(line))]);
}

interface LogReads {
  client: RedisClient;
  tag: string;
  runId: string;
}

/** Lines of a step behind `after`, the oldest first. */
export async function readStepLogs(
  { client, tag, runId }: LogReads,
  { key, stepId }: { key: StepKey; stepId: string },
  { after, limit, attempt }: { after: number; limit: number; attempt?: number | undefined },
): Promise<StepLogs> {
  const list = stateKey(tag, 'logs', `${runId}|${key}`);
  // Together: lines that come in between would shift the others.
  const replies = await client
    .multi()
    .hget(stateKey(tag, 'logs', runId), key)
    .llen(list)
    .lrange(list, 0, -1)
    .exec();
  const [counts, kept, texts] = (replies ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  }) as [string | null, number, string[]];
  const { lines: total, dropped } = parseCounts(counts);
  const firstSeq = total - kept;
  const skipped = Math.max(0, after + 1 - firstSeq);
  const page = texts.slice(skipped, skipped + limit);
  const lines = page.flatMap((text, index) => parseLine(text, stepId, firstSeq + skipped + index));
  return {
    lines: attempt === undefined ? lines : lines.filter((line) => line.attempt === attempt),
    next: page.length === 0 ? Math.max(after, -1) : firstSeq + skipped + page.length - 1,
    dropped: dropped + firstSeq,
  };
}

/** Which steps have lines. */
export async function readLogIndex({ client, tag, runId }: LogReads, plan: PlanShape): Promise<LogIndex> {
  const index = await client.hgetall(stateKey(tag, 'logs', runId));
  const keys = Object.keys(index);
  const kept = await Promise.all(keys.map((key) => client.llen(stateKey(tag, 'logs', `${runId}|${key}`))));
  return {
    steps: keys.map((key, place) => {
      const { lines, dropped } = parseCounts(index[key] ?? null);
      const left = kept[place] ?? 0;
      return { stepId: stepIdOf(plan, key), lines: left, dropped: dropped + lines - left };
    }),
  };
}

function parseCounts(stored: string | null): { lines: number; dropped: number } {
  const [lines, dropped] = (stored ?? '0|0|').split('|').map(Number);
  return { lines: lines || 0, dropped: dropped || 0 };
}

function parseLine(text: string, stepId: string, seq: number): LogLine[] {
  try {
    return [{ seq, stepId, ...(JSON.parse(text) as Omit<LogLine, 'seq' | 'stepId'>) }];
  } catch {
    throw new FlotillaError('DATA_CORRUPTION', `log line ${seq} of step ${stepId} cannot be read`);
  }
}
