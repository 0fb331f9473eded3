import { type ApprovalView, FlotillaError, type Json, type StepView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { FIELD, PREFIX, WAIT_FIELD } from '../format.ts';
import { type KeySuffix, stateKey } from '../keys.ts';
import type { PlanShape, StepKey } from '../plan-shape.ts';
import { allTags, invalidCursor, type ReadDependencies, tagOfRun } from '../read-runs.ts';
import { MAX_PAGE_BYTES } from '../read-steps.ts';
import { parseRun, RUN_FIELDS } from '../run-record.ts';
import { parseStepHeader } from '../step-header.ts';

export interface ApprovalReads extends ReadDependencies {
  planOf: (runId: string) => Promise<PlanShape>;
  /** One step with its output or error. */
  readStep: (runId: string, key: StepKey) => Promise<StepView | undefined>;
}

/** What an approval's step has stored about it. */
interface ApprovalDetail {
  action: Json;
  digest: string;
  approvers: string[];
}

export interface ApprovalAddress {
  runId: string;
  key: StepKey;
}

/** `runId.stepId`; run ids have no dot. Undefined when it is not of that form, or names no step of the run. */
export async function findApproval(reads: ApprovalReads, id: string): Promise<ApprovalAddress | undefined> {
  const [, runId, stepId] = /^([^.]{1,128})\.(.{1,150})$/.exec(id) ?? [];
  if (runId === undefined || stepId === undefined) return undefined;
  try {
    const index = (await reads.planOf(runId)).stepIndex.get(stepId);
    return index === undefined ? undefined : { runId, key: String(index) };
  } catch (error) {
    if (error instanceof FlotillaError && error.code === 'RUN_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Undefined when the step has not asked, or is no approval. */
export async function readApproval(
  reads: ApprovalReads,
  { runId, key }: ApprovalAddress,
): Promise<ApprovalView | undefined> {
  const runKey = stateKey(tagOfRun(reads, runId), 'run', runId);
  const fields = RUN_FIELDS.map((field) => (field === FIELD.input || field === FIELD.output ? '-' : field));
  const values = await reads.client.hmget(runKey, ...fields, PREFIX.header + key, WAIT_FIELD.detail + key);
  const [header, detailJson] = values.slice(-2);
  const run = parseRun(runId, values.slice(0, -2));
  if (run === undefined || header == null || detailJson == null) return undefined;
  const detail = JSON.parse(detailJson) as ApprovalDetail;
  const { wait, startedAt = run.createdAt, dueAt } = parseStepHeader(header, run.createdAt);
  // The message goes when the step settles with it: read first, the one or the other is there.
  const message = /^\d+$/.test(wait?.answer ?? '')
    ? await reads.client.hget(runKey, WAIT_FIELD.message + wait?.answer)
    : null;
  const step = await reads.readStep(runId, key);
  if (step === undefined) return undefined;
  const view: ApprovalView = {
    id: `${runId}.${step.stepId}`,
    ...{ runId, stepId: step.stepId, workflow: run.workflow },
    status: wait?.answer === '' && step.status === 'running' ? 'pending' : 'closed',
    ...{ action: detail.action, digest: detail.digest, approvers: detail.approvers },
    requestedAt: startedAt,
    ...(dueAt !== undefined && { deadlineAt: dueAt }),
  };
  const decided = (message == null ? step.output : JSON.parse(message)) as Decided | undefined;
  return decided?.decision === undefined ? view : { ...view, status: 'decided', ...decisionOf(decided) };
}

interface Decided {
  decision?: 'approve' | 'reject';
  who?: string;
  by?: string;
  reason?: string;
  at?: number;
}

function decisionOf({ decision, who, by, reason, at }: Decided): Partial<ApprovalView> {
  const decider = who ?? by;
  return {
    ...(decision !== undefined && { decision }),
    ...(decider !== undefined && { by: decider }),
    ...(reason !== undefined && { reason }),
    ...(at !== undefined && { decidedAt: at }),
  };
}

/** Approvals that are read side by side: what each is about may be large. */
const READ_AT_ONCE = 25;

/**
 * Oldest first: those that have waited longest; of decided ones the latest first. A page ends early when what its approvals
 * are about is large.
 */
export async function listApprovals(
  reads: ApprovalReads,
  query: { status: 'pending' | 'decided'; cursor?: string | undefined; limit: number },
): Promise<{ approvals: ApprovalView[]; cursor?: string }> {
  const suffix = query.status === 'pending' ? 'approvals' : 'decidedApprovals';
  const from = parseCursor(query.cursor);
  const entries = await entriesBehind(reads, suffix, from, query.limit + 1);
  const page = entries.slice(0, query.limit);
  const approvals: ApprovalView[] = [];
  let looked = 0;
  let bytes = 0;
  while (looked < page.length && bytes < MAX_PAGE_BYTES) {
    const slice = page.slice(looked, looked + READ_AT_ONCE);
    const views = await Promise.all(slice.map(({ runId, key }) => readApproval(reads, { runId, key })));
    const found = views.filter((view) => view !== undefined);
    approvals.push(...found);
    bytes += found.reduce((sum, { action }) => sum + JSON.stringify(action).length, 0);
    looked += slice.length;
  }
  const last = page[looked - 1];
  return entries.length > looked && last !== undefined ? { approvals, cursor: formatCursor(last) } : { approvals };
}

interface Entry extends ApprovalAddress {
  at: number;
  member: string;
}

async function entriesBehind(
  { client, namespace, partitions }: { client: RedisClient; namespace: string; partitions: number },
  suffix: KeySuffix,
  from: Position | undefined,
  limit: number,
): Promise<Entry[]> {
  const isPending = suffix === 'approvals';
  const lists = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const key = stateKey(tag, suffix);
      const bounds = ['WITHSCORES', 'LIMIT', 0, limit + (from?.atSame ?? 0)] as const;
      const reply = isPending
        ? await client.zrangebyscore(key, from?.at ?? '-inf', '+inf', ...bounds)
        : await client.zrevrangebyscore(key, from?.at ?? '+inf', '-inf', ...bounds);
      const found: Entry[] = [];
      for (let index = 0; index < reply.length; index += 2) {
        const member = reply[index] ?? '';
        const [runId = '', stepKey = ''] = member.split('|');
        found.push({ runId, key: stepKey, at: Number(reply[index + 1]), member });
      }
      return found;
    }),
  );
  const direction = isPending ? 1 : -1;
  const order = (a: Entry, b: Entry) => direction * (a.at - b.at || (a.member < b.member ? -1 : 1));
  const all = lists.flat().sort(order);
  return from === undefined ? all : all.filter((entry) => order(entry, { ...entry, ...from }) > 0);
}

interface Position {
  at: number;
  member: string;
  /** Entries of one millisecond that may stand before the position. */
  atSame: number;
}

const MAX_AT_ONCE = 1000;

function formatCursor({ at, member }: Entry): string {
  return Buffer.from(`${at}|${member}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  const [, at, member] = /^(\d{1,15})\|(.+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (at === undefined || member === undefined) throw invalidCursor();
  return { at: Number(at), member, atSame: MAX_AT_ONCE };
}
