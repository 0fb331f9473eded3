import { createHash } from 'node:crypto';
import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { partitionOfKey } from '@flotilla/state';
import { ReferenceRun, tagsOf } from './reference/reference-run.ts';
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
  const request = {
    plan,
    inputJson,
    runId,
    idempotencyKey,
    bodyHash,
    tags: tagsOf(runId),
    durability: 'fast' as const,
  };
  return call({
    what: `create ${runId}${otherBody ? ' with another body' : ''}`,
    send: async () => {
      try {
        const { runId: id, status, deduplicated } = await world.state.createRun(request);
        return { runId: id, status, deduplicated };
      } catch (error) {
        if (isFlotillaError(error) && error.code === 'IDEMPOTENCY_CONFLICT') return 'conflict' as const;
        if (isFlotillaError(error) && error.code === 'RUN_PRUNED') return 'pruned' as const;
        throw error;
      }
    },
    apply: (reply, clock) => {
      const run = new ReferenceRun(runId, tag, plan, bodyHash);
      let keyId = '';
      if (idempotencyKey !== undefined) {
        const keyTag = world.tags[partitionOfKey(idempotencyKey, PARTITIONS)]!;
        keyId = `${keyTag}|${createHash('sha256').update(idempotencyKey).digest('base64url')}`;
      }
      expectCreated(world.reference, run, keyId, reply, clock);
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
