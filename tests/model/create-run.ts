import { createHash } from 'node:crypto';
import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { partitionOfKey } from '@flotilla/state';
import { ReferenceRun } from './reference/reference-run.ts';
import { createRun as expectCreated } from './reference/run-transitions.ts';
import { bodyHashOf } from './run-calls.ts';
import { type Call, call, PARTITIONS, type World } from './world.ts';

/** What users submit for a run: the same every time, unless asked otherwise. */
export interface Submission {
  runId: string;
  tag: string;
  plan: Plan;
  idempotencyKey: string | undefined;
}

export function createRun(world: World, submission: Submission, { otherBody = false } = {}): Call {
  const { runId, tag, plan, idempotencyKey } = submission;
  const inputJson = '{"n":1}';
  const bodyHash = bodyHashOf(otherBody ? 'other' : inputJson);
  const request = { plan, inputJson, runId, idempotencyKey, bodyHash, tags: [], durability: 'fast' as const };
  return call({
    what: `create ${runId}${otherBody ? ' with another body' : ''}`,
    send: async () => {
      try {
        const { runId: id, status, deduplicated } = await world.state.createRun(request);
        return { runId: id, status, deduplicated };
      } catch (error) {
        if (isFlotillaError(error) && error.code === 'IDEMPOTENCY_CONFLICT') return 'conflict' as const;
        throw error;
      }
    },
    apply: (reply, clock) => {
      const run = new ReferenceRun(runId, tag, plan, bodyHash);
      let keyHash = '';
      if (idempotencyKey !== undefined) {
        keyHash = createHash('sha256').update(idempotencyKey).digest('base64url');
        const keyTag = world.tags[partitionOfKey(idempotencyKey, PARTITIONS)]!;
        if (keyTag !== tag) {
          const reserved = world.reference.idempotency.get(`${keyTag}|${keyHash}`);
          if (reserved !== undefined && reserved.bodyHash !== bodyHash) {
            if (reply !== 'conflict') throw new Error(`create ${runId}: a key with another body is refused`);
            return;
          }
          world.reference.idempotency.set(`${keyTag}|${keyHash}`, { runId, bodyHash });
          keyHash = '';
        }
      }
      expectCreated(world.reference, run, keyHash, reply, clock);
    },
    equivalent: () => true,
  });
}

/** An ended run's leftovers in outbox and timers speak of the run that was: its id is not used again before they are gone. */
export function mayCreate(world: World, { runId, tag }: Submission): boolean {
  if (world.reference.runs.has(runId)) return true;
  const isOf = (text: string) => text.includes(`|${runId}`);
  const timers = [...world.reference.due.of(tag).keys()];
  return !timers.some(isOf) && !world.reference.outbox.some(({ lines }) => lines.some(isOf));
}
