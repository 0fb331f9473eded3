import type { RedisClient } from '@flotilla/redis';
import { FIELD, STEP } from './format.ts';
import { stateKey } from './keys.ts';
import { chainField, headerField } from './run-fields.ts';
import { parseRunMeta } from './run-record.ts';
import { parseStepHeader } from './step-header.ts';
import type { AttemptAddress } from './transitions/addresses.ts';

const AT_ONCE = 100;

/** Attempts under way whose header names a worker. It reads every entry of the lease index: for rare occasions. */
export async function listAttempts(
  client: RedisClient,
  tags: readonly string[],
  worker: string,
): Promise<AttemptAddress[]> {
  const found: AttemptAddress[] = [];
  for (const tag of tags) {
    const members = await client.zrange(stateKey(tag, 'lease'), '0', '-1');
    for (let first = 0; first < members.length; first += AT_ONCE) {
      const page = members.slice(first, first + AT_ONCE);
      const attempts = await Promise.all(page.map((member) => readAttempt(client, tag, member, worker)));
      found.push(...attempts.filter((attempt) => attempt !== undefined));
    }
  }
  return found;
}

/** Undefined when another worker makes it, or when it has ended or gone on since the index was read. */
async function readAttempt(
  client: RedisClient,
  tag: string,
  member: string,
  worker: string,
): Promise<AttemptAddress | undefined> {
  const separator = member.lastIndexOf('|');
  const runId = member.slice(0, separator);
  const head = member.slice(separator + 1);
  const runKey = stateKey(tag, 'run', runId);
  const [packed, following] = await client.hmget(runKey, FIELD.meta, chainField(head));
  const key = following ?? head;
  const header = await client.hget(runKey, headerField(key));
  if (packed == null || header === null) return undefined;
  const { createdAt } = parseRunMeta(packed);
  const { state, fence, attemptId, worker: holder } = parseStepHeader(header, createdAt);
  if (state !== STEP.running || holder !== worker || fence === undefined) return undefined;
  return { tag, runId, key, fence, createdAt, attemptId };
}
