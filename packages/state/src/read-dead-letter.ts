import type { DeadLetterDetail, HistoryEvent, Json } from '@flotilla/contracts';
import { DEAD_RUN_FIELDS, deadLetterView, hasFailedForGood, parseDeadRun, parseError } from './dead-letter-view.ts';
import { FIELD, STEP } from './format.ts';
import { decodeHistory } from './history-codec.ts';
import { stateKey } from './keys.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { indexesOf, notFound } from './redrive.ts';
import { headerField, itemField, lossesField, outputField } from './run-fields.ts';
import { runStatusOf } from './run-record.ts';
import { parseStepHeader } from './step-header.ts';

const MOST_ITEMS = 20;
const MOST_EVENTS = 100;
const PAGE = 500;
/** Lines of the history, from its end, that are looked at: a run of many steps has many that say nothing of this one. */
const MOST_LINES = 20_000;

interface FailedItem {
  key: string;
  view: NonNullable<DeadLetterDetail['failedItems']>[number];
}

/** A dead letter with how it came about. RUN_NOT_FOUND, STEP_NOT_FOUND, DEAD_LETTER_NOT_FOUND. */
export async function readDeadLetter(
  dependencies: ReadDependencies & { plan: PlanShape },
  runId: string,
  stepId: string,
): Promise<DeadLetterDetail> {
  const { client, plan } = dependencies;
  const tag = tagOfRun(dependencies, runId);
  const [index] = indexesOf(plan, runId, [stepId]) as [number];
  const key = String(index);
  const runKey = stateKey(tag, 'run', runId);
  const [[header, body, lostWith, input, tags, ...fields], score] = await Promise.all([
    client.hmget(
      runKey,
      headerField(key),
      outputField(key),
      lossesField(key),
      FIELD.input,
      FIELD.tags,
      ...DEAD_RUN_FIELDS,
    ),
    client.zscore(stateKey(tag, 'deadLetters', runId), key),
  ]);
  const run = parseDeadRun(runId, fields);
  const letter = run === undefined || score === null ? undefined : deadLetterView(run, plan, key, { header, body });
  if (run === undefined || letter === undefined) throw notFound(runId, [stepId]);
  const items = await readFailedItems(dependencies, runKey, key, header!, run.createdAt);
  const keys = new Set([key, ...items.map((item) => item.key)]);
  const { events, truncated } = await readEvents(dependencies, stateKey(tag, 'history', runId), keys, run.createdAt);
  const template = (plan.definition.steps[plan.steps[index]!.id] as { input?: Json } | undefined)?.input;
  return {
    ...letter,
    run: {
      status: runStatusOf((fields[0] ?? '').charAt(0)),
      createdAt: run.createdAt,
      endedAt: run.endedAt,
      tags: tags == null ? [] : (JSON.parse(tags) as string[]),
      definitionHash: run.definitionHash,
      path: `/v1/runs/${encodeURIComponent(runId)}`,
      ...(input != null && { input: JSON.parse(input) as Json }),
    },
    ...(template !== undefined && { inputTemplate: template }),
    ...(lostWith != null && lostWith !== '' && { lostWith: lostWith.split(',').map((name) => name.replace(/!$/, '')) }),
    ...(items.length > 0 && { failedItems: items.map(({ view }) => view) }),
    events,
    eventsTruncated: truncated,
  };
}

async function readFailedItems(
  { client, plan }: ReadDependencies & { plan: PlanShape },
  runKey: string,
  key: string,
  header: string,
  createdAt: number,
): Promise<FailedItem[]> {
  const count = parseStepHeader(header, createdAt).map?.next ?? 0;
  const found: FailedItem[] = [];
  for (let first = 0; first < count && found.length < MOST_ITEMS; first += PAGE) {
    const keys = Array.from({ length: Math.min(PAGE, count - first) }, (_, item) => `${key}.${first + item}`);
    const headers = await client.hmget(runKey, ...keys.map((one) => headerField(one)));
    const failed = keys.filter((_, item) => hasFailedForGood(headers[item])).slice(0, MOST_ITEMS - found.length);
    if (failed.length === 0) continue;
    const values = await client.hmget(
      runKey,
      ...failed.flatMap((one) => [outputField(one), itemField(one), headerField(one)]),
    );
    for (const [position, one] of failed.entries()) {
      const [error, item, own] = values.slice(position * 3, position * 3 + 3);
      const view = {
        stepId: stepIdOf(plan, one),
        reason: own?.startsWith(STEP.quarantined) ? ('quarantined' as const) : ('failed' as const),
        error: parseError(error),
        ...(item != null && { item: JSON.parse(item) as Json }),
      };
      found.push({ key: one, view });
    }
  }
  return found;
}

/** The last events of these steps, in order. */
async function readEvents(
  { client, plan }: ReadDependencies & { plan: PlanShape },
  historyKey: string,
  keys: ReadonlySet<string>,
  createdAt: number,
): Promise<{ events: HistoryEvent[]; truncated: boolean }> {
  const length = await client.llen(historyKey);
  const found: HistoryEvent[] = [];
  let end = length;
  while (end > 0 && length - end < MOST_LINES) {
    const first = Math.max(0, end - PAGE);
    // One line more in front: `step-succeeded` is completed from the line before it.
    const lines = await client.lrange(historyKey, Math.max(0, first - 1), end - 1);
    const before = first > 0 ? lines.shift() : undefined;
    const own = lines.flatMap((line, index) =>
      keys.has(line.split('|', 3)[2] ?? '')
        ? decodeHistory([line], first + index, createdAt, plan, index === 0 ? before : lines[index - 1])
        : [],
    );
    found.unshift(...own);
    end = first;
    if (found.length > MOST_EVENTS) break;
  }
  return { events: found.slice(-MOST_EVENTS), truncated: end > 0 || found.length > MOST_EVENTS };
}
