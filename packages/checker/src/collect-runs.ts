import {
  type CheckpointView,
  RUN_STATUSES,
  type RunStatus,
  type RunView,
  type WorkflowDefinition,
} from '@flotilla/contracts';
import { type FleetApi, mapInTurn } from '@flotilla/local-fleet';
import type { ClientCall, RecordedRun, RunListing } from './recording.ts';

const RUNS_AT_ONCE = 8;

/** Reads runs with their steps, histories and checkpoints, and finds the definitions among what callers submitted. */
export async function collectRuns(
  api: FleetApi,
  runIds: readonly string[],
  calls: readonly ClientCall[] = [],
): Promise<RecordedRun[]> {
  const definitions = definitionsOf(calls);
  const registered = new Map<string, Promise<WorkflowDefinition | undefined>>();
  return mapInTurn(runIds, RUNS_AT_ONCE, async (runId) => {
    const [record, checkpoints] = await Promise.all([api.record(runId), readCheckpoints(api, runId)]);
    const definition = definitions.get(runId) ?? (await registeredDefinition(api, record.run, registered));
    return { ...record, checkpoints, ...(definition === undefined ? {} : { definition }) };
  });
}

/** All runs there are, and how many lists of each status have. */
export async function collectListing(api: FleetApi): Promise<RunListing> {
  const at = Date.now();
  const all = await listRuns(api, '');
  const counts: Partial<Record<RunStatus, number>> = {};
  for (const status of RUN_STATUSES) {
    const { length } = await listRuns(api, `&status=${status}`);
    if (length > 0) counts[status] = length;
  }
  return { at, runs: all.map(({ runId, status, definitionHash }) => ({ runId, status, definitionHash })), counts };
}

async function listRuns(api: FleetApi, filter: string): Promise<RunView[]> {
  const found: RunView[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api.get<{ runs: RunView[]; cursor?: string }>(`/v1/runs?limit=500${filter}${from}`);
    found.push(...page.runs);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

async function readCheckpoints(api: FleetApi, runId: string): Promise<CheckpointView[]> {
  const found: CheckpointView[] = [];
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/runs/${runId}/checkpoints?limit=500${from}`;
    const page = await api.get<{ checkpoints: CheckpointView[]; cursor?: string }>(path);
    found.push(...page.checkpoints);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

function definitionsOf(calls: readonly ClientCall[]): Map<string, WorkflowDefinition> {
  const found = new Map<string, WorkflowDefinition>();
  for (const call of calls) {
    if (call.kind !== 'start') continue;
    const runId = call.answer?.runId ?? call.request.runId;
    const definition = call.request.definition;
    // Legacy documents have another form.
    if (runId !== undefined && definition?.['flotilla'] === 1)
      found.set(runId, definition as unknown as WorkflowDefinition);
  }
  return found;
}

function registeredDefinition(
  api: FleetApi,
  { workflow, version, definitionHash }: RunView,
  known: Map<string, Promise<WorkflowDefinition | undefined>>,
): Promise<WorkflowDefinition | undefined> {
  const read = async (): Promise<WorkflowDefinition | undefined> => {
    const query = version === undefined ? '' : `?version=${encodeURIComponent(version)}`;
    const { status, body } = await api.request<{ definitionHash: string; definition?: unknown }>(
      'GET',
      `/v1/workflows/${encodeURIComponent(workflow)}${query}`,
    );
    if (status === 404 || body.definitionHash !== definitionHash) return undefined;
    return body.definition as WorkflowDefinition | undefined;
  };
  const reading = known.get(definitionHash) ?? read();
  known.set(definitionHash, reading);
  return reading;
}
