import { DEFAULT_JSON_LIMITS, FlotillaError, findJsonProblem, type Json, type JsonLimits } from '@flotilla/contracts';
import { canonicalJson, type PlanWork } from '@flotilla/engine';
import type { AttemptAddress, CheckpointEnvelope, ProgressRecord, State, StoredProgress } from '@flotilla/state';
import type { StepCheckpoint } from '@flotilla/steps';
import { runOutsideScope } from './attempt-scope.ts';

export interface StepCheckpointsOptions {
  state: Pick<State<never>, 'transitions' | 'seal'>;
  address: AttemptAddress;
  stepId: string;
  onCorrupt: PlanWork['onCorruptCheckpoint'];
  limits: JsonLimits | undefined;
  /** The present on Redis' clock, as far as the attempt knows it. */
  now: () => number;
  /** Another attempt has taken over: aborts this one and answers what to throw. */
  superseded: () => unknown;
}

/**
 * Progress inside a step, as the attempt sees it: a chain of checkpoints, numbered without a gap over all attempts of the
 * step. What does not prove itself is never given to a handler (G12): it is set aside, and the step's definition says
 * what follows.
 */
export class StepCheckpoints implements StepCheckpoint {
  /** Seq of the last one saved or loaded; the committed result comes behind it. */
  seq = 0;
  readonly #options: StepCheckpointsOptions;
  #checksum = '';
  #isLoaded = false;
  /** Saves of one attempt come one after the other, however the handler calls them. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: StepCheckpointsOptions) {
    this.#options = options;
  }

  readonly save = (state: Json): Promise<void> => this.#inOrder(() => this.#save(state));

  readonly load = (): Promise<Json | undefined> => this.#inOrder(() => this.#load());

  #inOrder<T>(action: () => Promise<T>): Promise<T> {
    const result = runOutsideScope(() => this.#last.then(action));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #save(state: Json): Promise<void> {
    const { state: store, address, limits, superseded } = this.#options;
    const problem = findJsonProblem(state, limits ?? DEFAULT_JSON_LIMITS);
    if (problem !== undefined)
      throw new FlotillaError('STEP_OUTPUT_INVALID', `the checkpoint cannot be stored: ${problem.message}`);
    if (!this.#isLoaded) await this.#load();
    const [seq, previous, ts] = [this.seq + 1, this.#checksum, this.#options.now()];
    const envelope = this.#envelope({ seq, previous, ts, fence: address.fence, stateJson: canonicalJson(state) });
    const checksum = store.seal.checksumOf(envelope);
    const checkpoint = { ts, seq, checksum, previous };
    if (!(await store.transitions.saveProgress(address, envelope.stateJson, checkpoint))) throw superseded();
    this.seq = seq;
    this.#checksum = checksum;
  }

  async #load(): Promise<Json | undefined> {
    const { state: store, address } = this.#options;
    const record = await store.transitions.loadProgress(address);
    this.#isLoaded = true;
    if (record.newest === undefined && record.kept.length === 0) return undefined;
    const newest = record.kept.at(-1);
    if (newest !== undefined && isNewest(record, newest) && this.#problemOf(newest) === undefined) {
      return this.#use(newest);
    }
    return this.#fallBack(record);
  }

  /** The newest is damaged, gone, or not the one that was saved last. */
  async #fallBack(record: ProgressRecord): Promise<Json | undefined> {
    const { state: store, address, onCorrupt, stepId, superseded } = this.#options;
    const good = record.kept.findLast(
      (kept) => this.#problemOf(kept) === undefined && kept.checkpoint.seq < (record.newest?.seq ?? Infinity),
    );
    const bad = record.kept.filter((kept) => kept !== good && !(kept.checkpoint.seq < (good?.checkpoint.seq ?? 0)));
    const mayGoOn = (onCorrupt === 'fall-back' && good !== undefined) || onCorrupt === 'restart';
    const data = {
      code: 'DATA_CORRUPTION',
      checkpointSeq: record.newest?.seq ?? null,
      problem: this.#describe(record),
      ...(mayGoOn ? { usedInstead: good?.checkpoint.seq ?? 0 } : {}),
    };
    if (!mayGoOn) {
      await store.transitions.reportCorruption(address, JSON.stringify(data));
      throw new FlotillaError(
        'DATA_CORRUPTION',
        `the progress of step ${stepId} in run ${address.runId} ${data.problem}`,
      );
    }
    const places = bad.map(({ place }) => place);
    const isSetAside = await store.transitions.setAsideProgress(
      address,
      good?.checkpoint,
      places,
      JSON.stringify(data),
    );
    if (!isSetAside) throw superseded();
    return good === undefined ? undefined : this.#use(good);
  }

  #use({ checkpoint, stateJson }: StoredProgress): Json {
    this.seq = checkpoint.seq;
    this.#checksum = checkpoint.checksum;
    return JSON.parse(stateJson) as Json;
  }

  #describe(record: ProgressRecord): string {
    if (record.newest === undefined) return 'does not say which checkpoint is its newest';
    const newest = record.kept.find(({ checkpoint }) => checkpoint.seq === record.newest?.seq);
    if (newest === undefined) return 'lacks its newest checkpoint';
    return this.#problemOf(newest) ?? 'has another checkpoint in the place of its newest';
  }

  #problemOf({ checkpoint, fence, stateJson }: StoredProgress): string | undefined {
    const { seq, previous, ts, checksum } = checkpoint;
    return this.#options.state.seal.problemOf(this.#envelope({ seq, previous, ts, fence, stateJson }), checksum);
  }

  #envelope(parts: Omit<CheckpointEnvelope, 'kind' | 'runId' | 'stepId'>): CheckpointEnvelope {
    return { kind: 'progress', runId: this.#options.address.runId, stepId: this.#options.stepId, ...parts };
  }
}

function isNewest({ newest }: ProgressRecord, { checkpoint }: StoredProgress): boolean {
  return checkpoint.seq === newest?.seq && checkpoint.checksum === newest.checksum;
}
