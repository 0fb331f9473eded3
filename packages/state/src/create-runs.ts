import { createHash } from 'node:crypto';
import { type Durability, FlotillaError, type RunStatus } from '@flotilla/contracts';
import canonicalize from 'canonicalize';
import type { RunClient } from './durability.ts';
import { reachDurability } from './durability.ts';
import { RECORD } from './format.ts';
import { partitionTag, stateKey } from './keys.ts';
import { pack } from './pack-arguments.ts';
import type { PlanShape, StepKey } from './plan-shape.ts';
import { createRunId, numberOfRun, partitionOfKey, partitionOfRun } from './run-id.ts';
import { runStatusOf } from './run-record.ts';
import type { TransitionBatch } from './transition-batch.ts';
import { flag } from './transitions/argument-texts.ts';

export interface CreateRun {
  plan: PlanShape;
  /** Canonical JSON. */
  inputJson: string;
  runId?: string | undefined;
  idempotencyKey?: string | undefined;
  /** SHA-256 of what makes two submissions the same: definition, input, tags. */
  bodyHash: string;
  tags: readonly string[];
  /** The step of another run that waits for this one. */
  parent?: { runId: string; key: StepKey } | undefined;
  /** Of the caller's trace. No part of what makes two submissions the same. */
  traceparent?: string | undefined;
  durability: Durability;
  /** Default: the deployment's. */
  idempotencyTtlMs?: number | undefined;
}

export interface CreatedRun {
  runId: string;
  status: RunStatus;
  deduplicated: boolean;
  durability: Durability;
}

export interface CreateRunsDependencies {
  batch: TransitionBatch;
  namespace: string;
  partitions: number;
  /** How long a key answers for its run. */
  idempotencyTtlMs: number;
  durable: RunClient;
}

/** Creates a run, or finds the one that the same key or id made. Errors: IDEMPOTENCY_CONFLICT, RUN_PRUNED, STORAGE_FULL,
 * REDIS_UNAVAILABLE (ambiguous), DURABILITY_UNAVAILABLE (the run exists), DURABILITY_UNSUPPORTED (nothing stored). */
export async function createRun(dependencies: CreateRunsDependencies, request: CreateRun): Promise<CreatedRun> {
  const { durable } = dependencies;
  if (request.durability !== 'fast') await durable.checkSupport(request.durability);
  const address = await addressOf(dependencies, request);
  const created = await findOrCreate(dependencies, request, address);
  const { runId } = created;
  const runKey = stateKey(
    partitionTag(dependencies.namespace, partitionOfRun(runId, dependencies.partitions)),
    'run',
    runId,
  );
  const durability = await reachDurability(durable, request.durability, { runId, runKey });
  return { ...created, durability };
}

type Created = Omit<CreatedRun, 'durability'>;

interface KeyAddress {
  tag: string;
  hash: string;
}

interface RunAddress {
  runId: string;
  tag: string;
  /** The key's hash when its record lives beside the run, else ''. */
  keyHash: string;
  /** The key's record when it lives in another partition than the run. */
  key?: KeyAddress;
  /** What that record says: the run was made, so it is there or was pruned. */
  wasMade?: boolean;
}

async function addressOf(dependencies: CreateRunsDependencies, request: CreateRun): Promise<RunAddress> {
  const { namespace, partitions } = dependencies;
  const { idempotencyKey } = request;
  if (idempotencyKey === undefined) {
    const runId = request.runId ?? createRunId(Math.floor(Math.random() * partitions));
    return { runId, tag: partitionTag(namespace, partitionOfRun(runId, partitions)), keyHash: '' };
  }
  const keyPartition = partitionOfKey(idempotencyKey, partitions);
  const keyHash = createHash('sha256').update(idempotencyKey).digest('base64url');
  const runId = request.runId ?? createRunId(keyPartition);
  const tag = partitionTag(namespace, partitionOfRun(runId, partitions));
  const keyTag = partitionTag(namespace, keyPartition);
  if (tag === keyTag) return { runId, tag, keyHash };
  // Both a key and an id, in different partitions: the key is reserved first, then the run is made, then the record is
  // confirmed. A crash before the run is made leaves a reservation, for a run that the caller's retry makes.
  const { bodyHash, idempotencyTtlMs: keyTtlMs = dependencies.idempotencyTtlMs } = request;
  const args = pack('reserve-key', { keyHash, runId, bodyHash, keyTtlMs });
  const reply = await dependencies.batch.apply(keyTag, 'reserve-key', args);
  if (reply[0] === 'conflict') throw conflict(reply[1]!);
  const key = { tag: keyTag, hash: keyHash };
  if (reply[0] === 'reserved') return { runId, tag, keyHash: '', key };
  return addressOfKnown(dependencies, key, reply[1]!, reply[2] !== RECORD.reserved);
}

/** Where the run is that a key's record names. */
function addressOfKnown(
  { namespace, partitions }: CreateRunsDependencies,
  key: KeyAddress,
  runId: string,
  wasMade: boolean,
): RunAddress {
  return { runId, tag: partitionTag(namespace, partitionOfRun(runId, partitions)), keyHash: '', key, wasMade };
}

/**
 * A reserved key is confirmed before the run is acknowledged; of a maker that crashed in between, by the next who asks
 * with the key. Left over is a run that nobody heard of, because its maker crashed, and that ends and is pruned before
 * anybody asks again: then it is made once more. The same holds for a call that read the reservation and is still on its
 * way when the run is pruned. Retention is far longer than retries go on.
 */
async function findOrCreate(
  dependencies: CreateRunsDependencies,
  request: CreateRun,
  address: RunAddress,
): Promise<Created> {
  const { runId, tag, key, wasMade } = address;
  if (wasMade) {
    const reply = await dependencies.batch.apply(tag, 'find-run', pack('find-run', { runId }));
    if (reply[0] === 'gone') throw pruned(runId);
    return { runId, status: runStatusOf(reply[1]!), deduplicated: true };
  }
  const created = await create(dependencies, request, address);
  if (key === undefined) return created;
  const { bodyHash, idempotencyTtlMs: keyTtlMs = dependencies.idempotencyTtlMs } = request;
  const args = pack('confirm-key', { keyHash: key.hash, runId, bodyHash, keyTtlMs });
  const [outcome, known = ''] = await dependencies.batch.apply(key.tag, 'confirm-key', args);
  if (outcome === 'confirmed') return created;
  // The reservation was lost with the server's last writes, and another caller has taken the key since.
  if (!created.deduplicated) await cancelSuperfluous(dependencies, { tag, runId }, known);
  if (outcome === 'conflict') throw conflict(known);
  return findOrCreate(dependencies, request, addressOfKnown(dependencies, key, known, true));
}

/** Ends a run that was just made and that its key does not name. */
async function cancelSuperfluous(
  { batch }: CreateRunsDependencies,
  { tag, runId }: { tag: string; runId: string },
  known: string,
): Promise<void> {
  const message = `its idempotency key names run ${known}`;
  const reason = JSON.stringify({ type: 'cancelled', code: 'CANCELLED', message });
  await batch.apply(tag, 'cancel-run', pack('cancel-run', { runId, reason }));
}

async function create(
  dependencies: CreateRunsDependencies,
  request: CreateRun,
  { runId, tag, keyHash }: RunAddress,
): Promise<Created> {
  const { plan } = request;
  const { definition } = plan;
  const args = (definitionText: string) => [
    ...pack('create-run', {
      runId,
      definitionHash: plan.hash,
      workflow: definition.name,
      version: definition.version,
      input: request.inputJson,
      bodyHash: request.bodyHash,
      tagsJson: JSON.stringify(request.tags),
      endSteps: plan.endSteps,
      hasOutput: flag(plan.output !== undefined),
      timeoutMs: plan.timeoutMs,
      keyHash,
      keyTtlMs: request.idempotencyTtlMs ?? dependencies.idempotencyTtlMs,
      definitionText,
      parent: request.parent && `${request.parent.runId}|${request.parent.key}`,
      traceparent: request.traceparent,
      runNumber: numberOfRun(runId),
    }),
    request.tags.length,
    ...request.tags,
  ];
  let reply = await dependencies.batch.apply(tag, 'create-run', args(''));
  if (reply[0] === 'need-definition') {
    reply = await dependencies.batch.apply(tag, 'create-run', args(canonicalize(plan.definition)!));
  }
  if (reply[0] === 'conflict') throw conflict(reply[1]!);
  if (reply[0] === 'exists') {
    const [, known, status, letter = ''] = reply;
    // The key's record names a run of another partition.
    if (letter !== '') {
      const key = { tag, hash: keyHash };
      return findOrCreate(dependencies, request, addressOfKnown(dependencies, key, known!, letter !== RECORD.reserved));
    }
    if (status === '') throw pruned(known!);
    return { runId: known!, status: runStatusOf(status ?? ''), deduplicated: true };
  }
  return { runId, status: 'pending', deduplicated: false };
}

function conflict(runId: string): FlotillaError {
  return new FlotillaError(
    'IDEMPOTENCY_CONFLICT',
    `the same key or run id was used with another definition, input or tags (run ${runId})`,
  );
}

function pruned(runId: string): FlotillaError {
  return new FlotillaError(
    'RUN_PRUNED',
    `run ${runId} of this idempotency key has ended and was removed after the retention; use another key to start anew`,
  );
}
