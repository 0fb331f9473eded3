import { createHash } from 'node:crypto';
import { FlotillaError, normaliseMessage, type RunComparison } from '@flotilla/contracts';
import { parseError } from './dead-letter-view.ts';
import { FIELD, PREFIX, STEP } from './format.ts';
import { stateKey } from './keys.ts';
import { type PlanShape, type StepKey, stepIdOf } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { HEADER_STATUS, parseStepHeader } from './step-header.ts';

type Divergence = NonNullable<RunComparison['firstDivergence']>;
type Side = Divergence['run'];

/** Steps that are read at once: their outputs may be large. */
const SLICE = 50;
const SETTLED: ReadonlySet<string> = new Set([
  ...[STEP.succeeded, STEP.failed, STEP.quarantined, STEP.skipped, STEP.mapSucceeded],
]);

interface StoredResult {
  header: string | null;
  body: string | null;
}

type ReadPlan = (tag: string, definitionHash: string) => Promise<PlanShape>;

/**
 * Where two runs of a definition part: the first step, in the order of the definition, whose result differs. Results are
 * compared as they are stored (canonical JSON), and only their digests are given. @throws FlotillaError RUN_NOT_FOUND
 */
export async function compareRuns(
  dependencies: ReadDependencies & { readPlan: ReadPlan },
  runId: string,
  otherRunId: string,
): Promise<RunComparison> {
  const reader = (id: string) => new RunReader(dependencies, id);
  const [run, other] = [reader(runId), reader(otherRunId)];
  const [basics, otherBasics] = await Promise.all([run.readBasics(), other.readBasics()]);
  const answer = { runId, otherRunId, compared: 0, differing: 0 };
  const sides = (of: (known: Basics) => string): Pick<Divergence, 'run' | 'other'> => ({
    run: { runId, hash: of(basics) },
    other: { runId: otherRunId, hash: of(otherBasics) },
  });
  if (basics.definitionHash !== otherBasics.definitionHash) {
    const found = sides(({ definitionHash }) => definitionHash);
    return { ...answer, firstDivergence: { what: 'definition', ...found } };
  }
  const plan = await dependencies.readPlan(tagOfRun(dependencies, runId), basics.definitionHash);
  const found = await compareSteps(plan, run, other);
  const inputs = sides(({ input }) => digestOf(input));
  const input: Divergence | undefined = basics.input === otherBasics.input ? undefined : { what: 'input', ...inputs };
  const first = input ?? found.first;
  const whole = { ...answer, compared: found.compared, differing: found.differing };
  return first === undefined ? whole : { ...whole, firstDivergence: first };
}

async function compareSteps(plan: PlanShape, run: RunReader, other: RunReader) {
  const total = { compared: 0, differing: 0, first: undefined as Divergence | undefined };
  const note = (divergence: Divergence | undefined) => {
    total.compared += 1;
    if (divergence === undefined) return;
    total.differing += 1;
    total.first ??= divergence;
  };
  for (let from = 0; from < plan.steps.length; from += SLICE) {
    const keys = plan.steps.slice(from, from + SLICE).map((_, offset) => String(from + offset));
    const [ours, theirs] = await Promise.all([run.readResults(keys), other.readResults(keys)]);
    for (const [index, key] of keys.entries()) {
      const [one, another] = [ours[index], theirs[index]];
      if (one?.header == null || another?.header == null) continue;
      const items = itemsToCompare(one.header, another.header);
      if (items > 0) await compareItems({ plan, run, other }, key, items, note);
      else if (isSettled(one) && isSettled(another)) note(divergenceOf(plan, key, [run, one], [other, another]));
    }
  }
  return total;
}

/** Items that two maps have in common, when they have as many; else the maps are compared as steps. */
function itemsToCompare(one: string, other: string): number {
  const [ours, theirs] = [parseStepHeader(one, 0).map, parseStepHeader(other, 0).map];
  return ours !== undefined && theirs !== undefined && ours.items === theirs.items ? ours.items : 0;
}

async function compareItems(
  { plan, run, other }: { plan: PlanShape; run: RunReader; other: RunReader },
  key: StepKey,
  items: number,
  note: (divergence: Divergence | undefined) => void,
): Promise<void> {
  for (let from = 0; from < items; from += SLICE) {
    const keys = Array.from({ length: Math.min(SLICE, items - from) }, (_, offset) => `${key}.${from + offset}`);
    const [ours, theirs] = await Promise.all([run.readResults(keys), other.readResults(keys)]);
    for (const [index, itemKey] of keys.entries()) {
      const [one, another] = [ours[index], theirs[index]];
      if (one === undefined || another === undefined || !isSettled(one) || !isSettled(another)) continue;
      note(divergenceOf(plan, itemKey, [run, one], [other, another]));
    }
  }
}

const isSettled = ({ header }: StoredResult) => header !== null && SETTLED.has(header.charAt(0));

function divergenceOf(
  plan: PlanShape,
  key: StepKey,
  [run, one]: readonly [RunReader, StoredResult],
  [other, another]: readonly [RunReader, StoredResult],
): Divergence | undefined {
  const what = whatDiffers(one, another);
  if (what === undefined) return undefined;
  return { stepId: stepIdOf(plan, key), what, run: sideOf(run, one), other: sideOf(other, another) };
}

function whatDiffers(one: StoredResult, other: StoredResult): Divergence['what'] | undefined {
  const [ours, theirs] = [parseStepHeader(one.header ?? '', 0), parseStepHeader(other.header ?? '', 0)];
  if (HEADER_STATUS[ours.state] !== HEADER_STATUS[theirs.state]) return 'status';
  if (ours.map?.items !== theirs.map?.items) return 'items';
  if (HEADER_STATUS[ours.state] === 'succeeded') return one.body === other.body ? undefined : 'output';
  if (HEADER_STATUS[ours.state] === 'skipped') return undefined;
  return errorText(one) === errorText(other) ? undefined : 'error';
}

/** What varies from one occurrence to the next does not make an error another. */
function errorText({ body }: StoredResult): string {
  const { code, message } = parseError(body);
  return `${code}\n${normaliseMessage(message)}`;
}

function sideOf({ runId }: RunReader, { header, body }: StoredResult): Side {
  const { state } = parseStepHeader(header ?? '', 0);
  return { runId, status: HEADER_STATUS[state], ...(body !== null && { hash: digestOf(body) }) };
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

interface Basics {
  definitionHash: string;
  input: string;
}

class RunReader {
  readonly runId: string;
  readonly #dependencies: ReadDependencies;
  readonly #key: string;

  constructor(dependencies: ReadDependencies, runId: string) {
    this.runId = runId;
    this.#dependencies = dependencies;
    this.#key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  }

  async readBasics(): Promise<Basics> {
    const [definitionHash, input] = await this.#dependencies.client.hmget(this.#key, FIELD.definition, FIELD.input);
    if (definitionHash == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${this.runId}`);
    return { definitionHash, input: input ?? '' };
  }

  async readResults(keys: readonly StepKey[]): Promise<StoredResult[]> {
    const fields = keys.flatMap((key) => [PREFIX.header + key, PREFIX.output + key]);
    const values = await this.#dependencies.client.hmget(this.#key, ...fields);
    return keys.map((_, index) => ({ header: values[2 * index] ?? null, body: values[2 * index + 1] ?? null }));
  }
}
