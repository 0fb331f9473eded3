import type { Json } from '@flotilla/contracts';
import { type RedisClient, retryTransient } from '@flotilla/redis';
import { chainChecksums } from './checkpoint.ts';
import type { CheckpointSeal } from './checkpoint-seal.ts';
import { stateKey } from './keys.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { HEADER_STATUS, parseStepHeader } from './step-header.ts';
import type { StoredStep } from './transitions.ts';

/** A step as expressions see it, with the checksum that chains what is made from it. */
export interface Source {
  status: string;
  output: Json;
  error?: { code: string; message: string };
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
}

const PAGE = 500;

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
  const stored: StoredStep[] = [];
  for (let first = 0; first < steps.length; first += PAGE) {
    const keys = steps.slice(first, first + PAGE).map(String);
    const values = await readFields(
      run,
      keys.flatMap((key) => [`s${key}`, `o${key}`]),
    );
    keys.forEach((key, index) => {
      stored.push({ key, header: values[index * 2] ?? '', output: values[index * 2 + 1] ?? '' });
    });
  }
  return decodeSources(run, stored);
}

async function decodeSource(run: SourceRun, key: string, stored: string, output: string): Promise<Source> {
  if (stored === '') return { status: 'waiting', output: null, checksum: '' };
  const header = parseStepHeader(stored, run.createdAt);
  const status = HEADER_STATUS[header.state];
  if (header.state === 'V') return readMapOutput(run, key, header.map!.items);
  if (header.state === 'S') {
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
  if (header.state === 'F' || header.state === 'Q') {
    const { code, message } = JSON.parse(output || '{}') as { code?: string; message?: string };
    return { status, output: null, checksum: '', error: { code: code ?? 'STEP_FAILED', message: message ?? '' } };
  }
  return { status, output: null, checksum: '' };
}

/** A map's output is its items' outputs in order; a tolerated failed item is null. */
async function readMapOutput(run: SourceRun, key: string, items: number): Promise<Source> {
  const output: Json[] = [];
  const checksums: string[] = [];
  for (let first = 0; first < items; first += PAGE) {
    const keys = Array.from({ length: Math.min(PAGE, items - first) }, (_, index) => `${key}.${first + index}`);
    const values = await readFields(
      run,
      keys.flatMap((item) => [`s${item}`, `o${item}`]),
    );
    for (const [index, item] of keys.entries()) {
      const source = await decodeSource(run, item, values[index * 2] ?? '', values[index * 2 + 1] ?? '');
      output.push(source.output);
      checksums.push(source.checksum);
    }
  }
  return { status: 'succeeded', output, checksum: chainChecksums(checksums) };
}

/** How long a read is tried through a Redis outage; then REDIS_UNAVAILABLE, which is nobody's failed attempt. */
const READ_DEADLINE_MS = 30_000;

function readFields(run: SourceRun, fields: readonly string[]): Promise<(string | null)[]> {
  const key = stateKey(run.tag, 'run', run.runId);
  return retryTransient(() => run.client.hmget(key, ...fields), { deadlineMs: READ_DEADLINE_MS });
}
