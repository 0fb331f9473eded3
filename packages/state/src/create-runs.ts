import { createHash } from 'node:crypto';
import { type Durability, FlotillaError, type RunStatus } from '@flotilla/contracts';
import canonicalize from 'canonicalize';
import type { RunClient } from './durability.ts';
import { reachDurability } from './durability.ts';
import { partitionTag } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { createRunId, partitionOfKey, partitionOfRun } from './run-id.ts';
import { runStatusOf } from './run-record.ts';
import type { TransitionBatch } from './transition-batch.ts';

export interface CreateRun {
  plan: PlanShape;
  /** Canonical JSON. */
  inputJson: string;
  runId?: string | undefined;
  idempotencyKey?: string | undefined;
  /** SHA-256 of what makes two submissions the same: definition, input, tags. */
  bodyHash: string;
  tags: readonly string[];
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
  const created = await create(dependencies, request, address);
  const durability = await reachDurability(durable, request.durability, created.runId);
  return { ...created, durability };
}

interface RunAddress {
  runId: string;
  tag: string;
  /** '' when the key has been reserved in its own partition. */
  keyHash: string;
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
  // Both a key and an id, in different partitions: the key is reserved first, then the run is made. A crash in between
  // leaves a reservation for a run that the caller's retry makes; nothing was acknowledged.
  const reply = await dependencies.batch.apply(keyTag, 'reserve-key', [
    keyHash,
    runId,
    request.bodyHash,
    request.idempotencyTtlMs ?? dependencies.idempotencyTtlMs,
  ]);
  if (reply[0] === 'conflict') throw conflict(reply[1]!);
  if (reply[0] === 'reserved') return { runId, tag, keyHash: '' };
  const known = reply[1]!;
  return { runId: known, tag: partitionTag(namespace, partitionOfRun(known, partitions)), keyHash: '' };
}

async function create(
  dependencies: CreateRunsDependencies,
  request: CreateRun,
  { runId, tag, keyHash }: RunAddress,
): Promise<Omit<CreatedRun, 'durability'>> {
  const { plan } = request;
  const { definition } = plan;
  const args = (definitionText: string) => [
    runId,
    plan.hash,
    definition.name,
    definition.version ?? '',
    request.inputJson,
    request.bodyHash,
    JSON.stringify(request.tags),
    plan.endSteps,
    plan.output === undefined ? '0' : '1',
    plan.timeoutMs ?? '',
    keyHash,
    request.idempotencyTtlMs ?? dependencies.idempotencyTtlMs,
    definitionText,
    request.tags.length,
    ...request.tags,
  ];
  let reply = await dependencies.batch.apply(tag, 'create-run', args(''));
  if (reply[0] === 'need-definition') {
    reply = await dependencies.batch.apply(tag, 'create-run', args(canonicalize(plan.definition)!));
  }
  if (reply[0] === 'conflict') throw conflict(reply[1]!);
  if (reply[0] === 'exists' && reply[2] === '' && reply[3] === 'r') {
    // The key was reserved for a run of another partition: it is there, or its maker crashed before it made it.
    const known = reply[1]!;
    const knownTag = partitionTag(dependencies.namespace, partitionOfRun(known, dependencies.partitions));
    return create(dependencies, request, { runId: known, tag: knownTag, keyHash: '' });
  }
  if (reply[0] === 'exists' && reply[2] === '') {
    throw new FlotillaError(
      'RUN_PRUNED',
      `run ${reply[1]} of this idempotency key has ended and was removed after the retention; use another key to start anew`,
    );
  }
  if (reply[0] === 'exists') {
    return { runId: reply[1]!, status: runStatusOf(reply[2] ?? ''), deduplicated: true };
  }
  return { runId, status: 'pending', deduplicated: false };
}

function conflict(runId: string): FlotillaError {
  return new FlotillaError(
    'IDEMPOTENCY_CONFLICT',
    `the same key or run id was used with another definition, input or tags (run ${runId})`,
  );
}
