import type { Json } from '@flotilla/contracts';
import { type Plan, type PlanStep, type PlanWork, prepareInPieces, type Scope, type Template } from '@flotilla/engine';
import type { Task } from '@flotilla/queue';
import {
  type ClaimedAttempt,
  chainChecksums,
  loopTurns,
  parseStepKey,
  type Source,
  SourceReading,
  type State,
} from '@flotilla/state';
import type { Handler } from '@flotilla/steps';

/** What a worker can take: its handlers by `use`, and the queues it serves. */
export interface WorkerHandlers {
  handlers: ReadonlyMap<string, Handler>;
  queues: ReadonlySet<string>;
}

/** One step, or one item of a map, as the worker sees it. */
export interface Assignment {
  key: string;
  stepId: string;
  step: PlanStep;
  work: PlanWork;
  handler: Handler;
  parentKey: string | undefined;
  item: number | undefined;
}

/** The assignment behind a step key, or why this worker cannot make it. */
export function assignmentOf(
  plan: Plan,
  key: string,
  { handlers }: WorkerHandlers,
): Assignment | 'no-work' | 'no-handler' {
  const { step: index, item } = parseStepKey(key);
  const step = plan.steps[index];
  if (step?.work === undefined) return 'no-work';
  const handler = handlers.get(step.work.use);
  if (handler === undefined) return 'no-handler';
  const stepId = item === undefined ? step.id : `${step.id}[${item}]`;
  return {
    key,
    stepId,
    step,
    work: step.work,
    handler,
    parentKey: item === undefined ? undefined : String(index),
    item,
  };
}

/** What an attempt's expressions read: of an http step the request, else the input. */
function templateOf(work: PlanWork) {
  return work.request ?? work.input;
}

/** Sources that a claim reads in its script, which everybody waits for: outputs may be large. */
const MOST_WITH_A_CLAIM = 32;

/**
 * What one worker knows of a run while it goes from step to step: the run's input and the outputs it has just made, so
 * that a chain does not read back what it wrote.
 */
export class Chain {
  readonly tag: string;
  readonly runId: string;
  readonly plan: Plan;
  readonly task: Task;
  readonly #state: State<Plan>;
  /** The latest outputs of this chain; a few are enough for chains, joins read what they miss. */
  readonly #own = new Map<number, OwnOutput>();
  #inputJson: string | undefined;
  createdAt = 0;

  constructor(state: State<Plan>, { tag, runId, plan, task }: Pick<Chain, 'tag' | 'runId' | 'plan' | 'task'>) {
    this.#state = state;
    this.tag = tag;
    this.runId = runId;
    this.plan = plan;
    this.task = task;
  }

  /** True when the run's input must come with the next claim. */
  needsInput(work: PlanWork): boolean {
    return this.#inputJson === undefined && (templateOf(work)?.readsRunInput ?? false);
  }

  /** Keys of the steps whose outputs must come with the next claim; a join of many reads them afterwards, in pages. */
  sourcesToClaim(work: PlanWork, known?: number): string[] {
    const reads = templateOf(work)?.reads ?? [];
    const missing = reads.filter((index) => index !== known && !this.#own.has(index));
    return missing.length > MOST_WITH_A_CLAIM ? [] : missing.map(String);
  }

  remember(step: number, output: OwnOutput): void {
    if (this.#own.size >= 8) this.#own.delete(this.#own.keys().next().value!);
    this.#own.set(step, output);
  }

  /** The attempt's input and the checksum that it chains to. Throws EXPRESSION_FAILED or DATA_CORRUPTION. */
  async resolveInput(
    { work, step, item }: Assignment,
    claimed: ClaimedAttempt,
    secret?: Scope['secret'],
  ): Promise<{ input: Json; previous: string }> {
    this.createdAt = claimed.createdAt;
    if (claimed.inputJson !== '') this.#inputJson ??= claimed.inputJson;
    const template = templateOf(work);
    if (template === undefined) return { input: {}, previous: '' };
    if (template.constant) return { input: template.resolve(EMPTY_SCOPE), previous: '' };
    const reading = new SourceReading();
    try {
      const sources = await this.#readSources(template.reads, claimed, reading);
      if (template.expressions.length > 1) await loopTurns.runPieces(prepareInPieces(template.expressions));
      return await loopTurns.run(() => ({
        input: template.resolve({ ...this.#scope({ step, item }, claimed, template, sources), secret }),
        previous: chainChecksums(template.reads.map((index) => sources.get(index)?.checksum ?? '')),
      }));
    } finally {
      reading.end();
    }
  }

  async #readSources(
    reads: readonly number[],
    claimed: ClaimedAttempt,
    reading: SourceReading,
  ): Promise<Map<number, Source>> {
    const stored = this.#state.run(this.runId, this.tag).sources(this.plan, this.createdAt, reading);
    const sources = claimed.sources.length === 0 ? new Map<number, Source>() : await stored.decode(claimed.sources);
    for (const index of reads) {
      const own = this.#own.get(index);
      if (own === undefined) continue;
      await reading.count(own.outputJson.length);
      sources.set(index, sourceOf(own));
    }
    const missing = reads.filter((index) => !sources.has(index));
    if (missing.length > 0) {
      for (const [index, source] of await stored.read(missing)) sources.set(index, source);
    }
    return sources;
  }

  #scope(
    { step, item }: Pick<Assignment, 'step' | 'item'>,
    claimed: ClaimedAttempt,
    { readsRunInput }: Template,
    sources: ReadonlyMap<number, Source>,
  ): Scope {
    const scope: Scope = {
      run: { id: this.runId, input: readsRunInput ? this.#runInput() : null, startedAt: this.createdAt },
      step: (index) => sources.get(index) ?? { status: 'waiting', output: null },
    };
    if (item !== undefined) {
      scope.item = { name: step.map?.as ?? 'item', value: JSON.parse(claimed.itemJson || 'null') as Json, index: item };
    }
    return scope;
  }

  #runInput(): Json {
    if (this.#inputJson === undefined) return null;
    return JSON.parse(this.#inputJson) as Json;
  }
}

/** As text: each attempt gets values of its own, for a handler may change what it is given. */
export interface OwnOutput {
  outputJson: string;
  checksum: string;
}

function sourceOf({ outputJson, checksum }: OwnOutput): Source {
  return { status: 'succeeded', output: JSON.parse(outputJson) as Json, checksum };
}

const EMPTY_SCOPE: Scope = {
  run: { id: '', input: null },
  step: () => ({ status: 'waiting', output: null }),
};
