import { type EndedStep, type Plan, planRetry, type RetryPlan } from '@flotilla/engine';
import {
  PREFIX,
  parseStepHeader,
  readSources,
  SourceReading,
  type State,
  type StepHeader,
  stateKey,
} from '@flotilla/state';

/** Headers or counters of one read. */
const PAGE = 500;

/** A run that has ended, and what a retry is to take up of it. */
export interface RunToRetry {
  runId: string;
  createdAt: number;
  /** Of the openings so far, whose steps have been undone. */
  cleanups: number;
  selection: { only?: number[]; from?: number };
}

export interface EndedRun {
  headers: readonly (StepHeader | undefined)[];
  retry: RetryPlan;
  /** Keys of the steps and items that cleanups were registered of. */
  undone: ReadonlySet<string>;
  /** Those of which a cleanup has succeeded: only they are known to be undone. */
  surelyUndone: ReadonlySet<string>;
}

/** Works out what a retry makes again. It gives the same however much of it has been carried out. */
export async function readEndedRun(state: State<Plan>, plan: Plan, run: RunToRetry): Promise<EndedRun> {
  const headers = await readHeaders(state, plan, run);
  const chosen = await readChoices(state, plan, run, headers);
  const { undone, surelyUndone } = await readUndone(state, run);
  const { only, from } = run.selection;
  const retry = planRetry(plan, (step) => endOf(headers[step], chosen.get(step)), {
    ...(only === undefined ? {} : { only: new Set(only) }),
    ...(from === undefined ? {} : { from }),
    undone: new Set(Array.from(undone, (key) => Number.parseInt(key, 10))),
  });
  return { headers, retry, undone, surelyUndone };
}

/** A lost registration is of nobody. */
async function readUndone(
  state: State<Plan>,
  { runId, cleanups }: RunToRetry,
): Promise<Pick<EndedRun, 'undone' | 'surelyUndone'>> {
  const fields = Array.from({ length: cleanups }, (_, number) => PREFIX.cleanup + number);
  const entries = await readFields(state, runId, fields);
  const found = entries.flatMap((entry, number) => {
    const key = /^\d+(?:\.\d+)?/.exec(entry ?? '')?.[0];
    return key === undefined ? [] : [{ key, header: `${PREFIX.header}${key}!${number}` }];
  });
  const headers = await readFields(
    state,
    runId,
    found.map(({ header }) => header),
  );
  return {
    undone: new Set(found.map(({ key }) => key)),
    surelyUndone: new Set(found.flatMap(({ key }, index) => (headers[index]?.startsWith('S') ? [key] : []))),
  };
}

export async function readHeaders(
  state: State<Plan>,
  plan: Plan,
  { runId, createdAt }: { runId: string; createdAt: number },
): Promise<(StepHeader | undefined)[]> {
  const fields = plan.steps.map(({ index }) => PREFIX.header + index);
  const stored = await readFields(state, runId, fields);
  return stored.map((header) => (header === null ? undefined : parseStepHeader(header, createdAt)));
}

export async function readFields(
  state: State<Plan>,
  runId: string,
  fields: readonly string[],
): Promise<(string | null)[]> {
  const key = stateKey(state.tagOf(runId), 'run', runId);
  const values: (string | null)[] = [];
  for (let first = 0; first < fields.length; first += PAGE) {
    values.push(...(await state.client.hmget(key, ...fields.slice(first, first + PAGE))));
  }
  return values;
}

/** What the branches have chosen. DATA_CORRUPTION when that is damaged: then nobody knows what depends on it. */
async function readChoices(
  state: State<Plan>,
  plan: Plan,
  { runId, createdAt }: RunToRetry,
  headers: readonly (StepHeader | undefined)[],
): Promise<Map<number, number | undefined>> {
  const branches = plan.steps.filter(({ kind, index }) => kind === 'branch' && headers[index]?.state === 'S');
  const reading = new SourceReading();
  const run = { client: state.client, plan, tag: state.tagOf(runId), runId, createdAt, seal: state.seal, reading };
  const sources = await readSources(
    run,
    branches.map(({ index }) => index),
  ).finally(() => reading.end());
  return new Map(
    branches.map(({ index }) => {
      const { chosen } = sources.get(index)!.output as { chosen: string | null };
      return [index, chosen === null ? undefined : plan.stepIndex.get(chosen)];
    }),
  );
}

function endOf(header: StepHeader | undefined, chosen: number | undefined): EndedStep {
  switch (header?.state) {
    case 'V':
      return 'succeeded';
    case 'S':
      return chosen === undefined ? 'succeeded' : { chosen };
    case 'F':
    case 'Q':
      return 'failed';
    case 'K':
      return header.reason === 'upstream-failed' ? 'skipped-upstream-failed' : 'skipped';
    default:
      return 'open';
  }
}
