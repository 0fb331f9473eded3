import { type EventType, FlotillaError, type RunStatus } from '@flotilla/contracts';
import { EVENT_CODES } from './event-codes.ts';
import type { StepKey } from './plan-shape.ts';
import { runStatusOf } from './run-record.ts';
import type { StoredCheckpoint } from './step-header.ts';
import { type ProgressRecord, parseProgress } from './stored-progress.ts';
import type { TransitionBatch, TransitionReply } from './transition-batch.ts';

/** An edge out of the step that settles, and with whom to go on when it is what its group waited for. */
export interface EdgeArgument {
  group: number;
  /** What settling adds to the group's counter. */
  delta: number;
  /** The counter's start value: the number of edges into the group. */
  initial: number;
  /** True for join `any`: it fires at the first success. */
  any: boolean;
  /** A lone member that this worker may go on with. */
  next?: { key: StepKey; attemptMs: number } | undefined;
}

export interface StepAddress {
  tag: string;
  runId: string;
  key: StepKey;
}

export interface AttemptAddress extends StepAddress {
  fence: number;
  /** The run's creation: fences are stored as offsets from it. */
  createdAt: number;
  attemptId: string;
}

/** A step of which a scheduler decides because its group has fired. */
export interface FiredStep extends StepAddress {
  /** In which opening of the run the group fired: nothing happens when the run has been reopened since. Absent: any. */
  opening?: number | undefined;
}

/** A stored header and output of a step that an attempt reads. */
export interface StoredStep {
  key: StepKey;
  header: string;
  output: string;
}

export interface ClaimedAttempt {
  fence: number;
  /** Redis' clock when the attempt was claimed. */
  claimedAt: number;
  createdAt: number;
  failures: number;
  crashes: number;
  /** When the step's first attempt was claimed. */
  firstAt: number;
  /** JSON, when asked for. */
  inputJson: string;
  itemJson: string;
  sources: StoredStep[];
}

export type ClaimRefusal = 'gone' | 'cancelled' | 'paused' | 'leased' | 'settled' | 'not-due';
export type ClaimReply = { claimed: ClaimedAttempt } | { refused: ClaimRefusal };

/** What says whether a step may begin: the group that it is in. */
export interface StepGroup {
  group: number;
  /** Join `any`. */
  any: boolean;
  /** What its counter starts with. */
  initial: number;
}

export interface ClaimArguments extends StepAddress, StepGroup {
  attemptId: string;
  worker: string;
  attemptMs: number;
  wantsInput: boolean;
  hasQueuedTimer: boolean;
  sources: readonly StepKey[];
}

export interface CommitArguments extends AttemptAddress {
  worker: string;
  outputJson: string;
  checkpoint: StoredCheckpoint;
  hasTotalTimer: boolean;
  endStep: boolean;
  /** The step is compensated when its run does not succeed. */
  compensated?: boolean;
  /** The attempt that the worker goes on with; absent when it may not go on. */
  nextAttemptId?: string | undefined;
  /** What a continued attempt reads. */
  wantsInput: boolean;
  sources: readonly StepKey[];
  /** Map items: the time limit of the next item, if the worker may go on with that. */
  nextItemAttemptMs?: number | undefined;
  edges: readonly EdgeArgument[];
}

export type CommitReply =
  | { outcome: 'committed' }
  | { outcome: 'continued'; key: StepKey; attempt: ClaimedAttempt }
  | { outcome: 'rejected'; reason: string };

export interface FailArguments extends StepAddress {
  /** The attempt that failed; or the states (letters of headers, `-` for none yet) in which the scheduler ends the step. */
  attempt: { fence: number; createdAt: number; attemptId: string } | { from: string };
  /** See `FiredStep`; absent: because of something else. */
  opening?: number | undefined;
  event: Extract<EventType, 'attempt-failed' | 'attempt-timed-out' | 'attempt-lost'>;
  errorJson: string;
  /** Absent: the step has failed for good. */
  retryInMs?: number | undefined;
  failFast: boolean;
  endStep: boolean;
  hasTotalTimer: boolean;
  parentKey?: StepKey | undefined;
  /** The run's error if this ends it. */
  runErrorJson: string;
  quarantine?: boolean;
  /** A lost attempt had a process to itself, which ended while the worker lived. */
  alone?: boolean;
  edges: readonly EdgeArgument[];
  /** Map items: what the map's success would count. */
  successEdges?: readonly EdgeArgument[];
}

export type FailReply =
  | { outcome: 'retry'; at: number }
  | { outcome: 'failed' }
  | { outcome: 'cancelled' }
  | { outcome: 'rejected'; reason: string };

export interface SettleArguments extends StepAddress {
  state: 'succeeded' | 'failed' | 'skipped';
  checkpoint?: StoredCheckpoint | undefined;
  reason?: string | undefined;
  /** Output or error. */
  bodyJson?: string | undefined;
  /** Header states it may be in now; `-` for none. */
  from: string;
  failFast: boolean;
  endStep: boolean;
  /** See `FiredStep`; absent: because of something else. */
  opening?: number | undefined;
  /** Timers to end, letters of the due index. */
  timers: string;
  runErrorJson?: string | undefined;
  edges: readonly EdgeArgument[];
}

export interface CancelReply {
  reply: 'cancelling' | 'already-cancelling' | 'ended';
  /** Letter of the run's status now, and of the one that it ends with. */
  status: string;
  outcome: string;
  /** When the cancellation that took effect came (Redis' clock); now, when none did. */
  requestedAt: number;
  /** Seq of its event in the history; absent when no cancellation took effect. */
  requestSeq?: number;
}

export interface ClaimedCleanup {
  claimed: ClaimedAttempt;
  /** What is stored of the step that it belongs to. */
  step: { header: string; output: string };
  /** How the run ends: `c|error` cancelled, `f|error` failed, `t|error` timed out. */
  ending: string;
}

export interface CleanupEnd {
  /** Absent: its time is over, whoever makes it. */
  attempt?: { fence: number; createdAt: number; attemptId: string };
  becomes: 'succeeded' | 'failed' | 'retried' | 'released' | 'parked';
  /** Error of a failure; `{ reason }` of a release, and of parking (letters, digits, `-`, `.`, `:`, `_`). */
  dataJson?: string;
  /** Of what is tried again or parked. */
  retryInMs?: number;
}

const flag = (value: boolean) => (value ? '1' : '0');

/** The transitions as functions: arguments in, typed replies out. What each does is said in its Lua file. */
export class Transitions {
  readonly #batch: TransitionBatch;

  constructor(batch: TransitionBatch) {
    this.#batch = batch;
  }

  async claim(a: ClaimArguments): Promise<ClaimReply> {
    const letters = (a.hasQueuedTimer ? 'w' : '') + (isItem(a.key) ? 'm' : '');
    const group = `${a.group}|${joinLetter(a)}|${a.initial}|${a.attemptMs}|${letters}`;
    const shared = [a.runId, a.worker, flag(a.wantsInput), group, a.sources.join(',')];
    const reply = await this.#batch.applyHot(a.tag, 'claim', shared, [a.key, a.attemptId]);
    if (reply[0] === 'refused') return { refused: reply[1] as ClaimRefusal };
    const [, fence, now, created, failures, crashes, first] = reply[0]!.split('|');
    const createdAt = Number(created);
    return { claimed: claimedAttempt(reply, a.sources, createdAt, [fence, now, failures, crashes, first]) };
  }

  async commit(a: CommitArguments): Promise<CommitReply> {
    const { checkpoint } = a;
    const letters =
      (a.hasTotalTimer ? 't' : '') +
      (a.endStep ? 'e' : '') +
      (a.wantsInput ? 'i' : '') +
      (a.compensated ? 'c' : '') +
      (isItem(a.key) ? 'm' : '');
    const shared = [a.runId, a.worker, letters, a.nextItemAttemptMs ?? '', edgeText(a.edges), a.sources.join(',')];
    const reply = await this.#batch.applyHot(a.tag, 'commit', shared, [
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      a.outputJson,
      checkpointParts(checkpoint, a.createdAt),
      a.nextAttemptId ?? '',
    ]);
    if (reply[0] === 'committed') return { outcome: 'committed' };
    if (reply[0] === 'rejected') return { outcome: 'rejected', reason: reply[1]! };
    const [, key, ...numbers] = reply[0]!.split('|');
    return { outcome: 'continued', key: key!, attempt: claimedAttempt(reply, a.sources, a.createdAt, numbers) };
  }

  async fail(a: FailArguments): Promise<FailReply> {
    const { attempt } = a;
    const reply = await this.#batch.apply(a.tag, 'fail', [
      a.runId,
      a.key,
      'from' in attempt ? '' : attempt.fence - attempt.createdAt,
      'from' in attempt ? attempt.from : attempt.attemptId,
      EVENT_CODES[a.event],
      a.errorJson,
      a.retryInMs ?? '',
      flag(a.failFast),
      flag(a.endStep),
      flag(a.hasTotalTimer),
      a.parentKey ?? '',
      a.runErrorJson,
      a.quarantine ? 'Q' : 'F',
      edgeText(a.edges),
      edgeText(a.successEdges ?? []),
      flag(a.alone ?? false),
      a.opening ?? '',
    ]);
    if (reply[0] === 'retry') return { outcome: 'retry', at: Number(reply[1]) };
    if (reply[0] === 'rejected') return { outcome: 'rejected', reason: reply[1]! };
    return { outcome: reply[0] as 'failed' | 'cancelled' };
  }

  /** True when the step is ready for another worker; false when the run ends or the attempt was superseded. */
  async release(a: AttemptAddress, reason: string): Promise<boolean> {
    const reply = await this.#batch.apply(a.tag, 'release', [
      a.runId,
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      reason,
    ]);
    return reply[0] === 'released';
  }

  /**
   * Parks the step of a running attempt, uncharged: what it needs cannot be had now. `reason` is what people read
   * (`breaker:payments`); the relay looks at the step again in `againInMs`. True when it is parked; false when the run
   * ends or the attempt was superseded.
   */
  async parkAttempt(a: AttemptAddress, reason: string, againInMs: number): Promise<boolean> {
    const reply = await this.#batch.apply(a.tag, 'park-attempt', [
      a.runId,
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      reason,
      Math.round(againInMs),
    ]);
    return reply[0] === 'parked';
  }

  async saveProgress(a: AttemptAddress, stateJson: string, checkpoint: StoredCheckpoint): Promise<boolean> {
    const parts = checkpointParts(checkpoint, a.createdAt);
    const fence = a.fence - a.createdAt;
    const reply = await this.#batch.apply(a.tag, 'save-progress', [
      a.runId,
      a.key,
      fence,
      a.attemptId,
      stateJson,
      parts,
    ]);
    return reply[0] === 'saved';
  }

  /** What earlier attempts have saved, unverified. */
  async loadProgress(a: AttemptAddress): Promise<ProgressRecord> {
    const [newest, ...places] = await this.#batch.apply(a.tag, 'load-progress', [a.runId, a.key]);
    return parseProgress(newest, places, a.createdAt);
  }

  /**
   * Takes progress that cannot be trusted out of use, and says so in the history. `newest` is what counts from now on.
   * False when the attempt has been superseded.
   */
  async setAsideProgress(
    a: AttemptAddress,
    newest: { seq: number; checksum: string } | undefined,
    places: readonly number[],
    dataJson: string,
  ): Promise<boolean> {
    const reply = await this.#batch.apply(a.tag, 'set-aside-progress', [
      a.runId,
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      newest === undefined ? '' : `${newest.seq}|${newest.checksum}`,
      places.join(''),
      dataJson,
    ]);
    return reply[0] === 'set-aside';
  }

  async reportCorruption(a: StepAddress, dataJson: string): Promise<void> {
    await this.#batch.apply(a.tag, 'report-corruption', [a.runId, a.key, dataJson]);
  }

  /** Settled, or the state that refused it. */
  async settle(a: SettleArguments & { createdAt: number }): Promise<'settled' | string> {
    const reply = await this.#batch.apply(a.tag, 'settle', [
      a.runId,
      a.key,
      { succeeded: 'S', failed: 'F', skipped: 'K' }[a.state],
      a.checkpoint === undefined ? (a.reason ?? '') : checkpointParts(a.checkpoint, a.createdAt),
      a.bodyJson ?? '',
      a.from,
      flag(a.failFast),
      flag(a.endStep),
      a.timers,
      a.runErrorJson ?? '',
      edgeText(a.edges),
      a.opening ?? '',
    ]);
    return reply[0] === 'settled' ? 'settled' : reply[1]!;
  }

  async startDelay(a: FiredStep, forMs: number): Promise<void> {
    await this.#batch.apply(a.tag, 'start-delay', [a.runId, a.key, forMs, a.opening ?? '']);
  }

  /** `itemsJson` one JSON text an item. Reply: started, or the reason why not (`budget`, `cancelled`, `reopened`, a state). */
  async startMap(
    a: FiredStep,
    itemsJson: readonly string[],
    settings: { concurrency: number; toleratedFailures: number; maxSteps: number | undefined; definitionSteps: number },
  ): Promise<'started' | string> {
    const page = 500;
    for (let first = 0; first < itemsJson.length; first += page) {
      const reply = await this.#batch.apply(a.tag, 'stage-items', [
        a.runId,
        a.key,
        a.opening ?? '',
        first,
        ...itemsJson.slice(first, first + page),
      ]);
      if (reply[0] !== 'staged') return reply[1]!;
    }
    const reply = await this.#batch.apply(a.tag, 'start-map', [
      a.runId,
      a.key,
      itemsJson.length,
      settings.concurrency,
      settings.toleratedFailures,
      settings.maxSteps ?? '',
      settings.definitionSteps,
      a.opening ?? '',
    ]);
    return reply[0] === 'started' ? 'started' : reply[1]!;
  }

  /** Without a group (cleanups) it is not asked whether the step may begin. */
  async park(a: StepAddress, group: StepGroup | undefined, reason: string, againInMs: number): Promise<void> {
    const groupText = group === undefined ? '' : `${group.group}|${joinLetter(group)}|${group.initial}`;
    await this.#batch.apply(a.tag, 'park', [a.runId, a.key, reason, againInMs, groupText]);
  }

  async cancelRun(tag: string, runId: string, reasonJson: string): Promise<CancelReply> {
    const [reply, status, at, seq, outcome] = await this.#batch.apply(tag, 'cancel-run', [runId, reasonJson]);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    const took = { reply: reply as CancelReply['reply'], status: status!, outcome: outcome!, requestedAt: Number(at) };
    return seq === '' ? took : { ...took, requestSeq: Number(seq) };
  }

  /** The cleanup's number; undefined when the attempt was superseded. @throws FlotillaError CLEANUP_REFUSED */
  async registerCleanup(
    a: AttemptAddress,
    { use, inputJson, digest }: { use: string; inputJson: string; digest: string },
  ): Promise<number | undefined> {
    const args = [a.runId, a.key, a.fence - a.createdAt, a.attemptId, use, inputJson, digest];
    const [reply, number] = await this.#batch.apply(a.tag, 'register-cleanup', args);
    if (reply === 'refused') throw new FlotillaError('CLEANUP_REFUSED', 'the step has registered too many cleanups');
    return reply === 'registered' ? Number(number) : undefined;
  }

  async claimCleanup(
    a: StepAddress,
    { attemptId, worker, attemptMs }: { attemptId: string; worker: string; attemptMs: number },
  ): Promise<ClaimedCleanup | { refused: string }> {
    const reply = await this.#batch.apply(a.tag, 'claim-cleanup', [a.runId, a.key, attemptId, worker, attemptMs]);
    if (reply[0] === 'refused') return { refused: reply[1]! };
    const [, fence, now, created, failures, crashes, first] = reply[0]!.split('|');
    const [, inputJson = '', itemJson = '', header = '', output = '', ending = ''] = reply;
    const claimed = claimedAttempt([], [], Number(created), [fence, now, failures, crashes, first]);
    return { claimed: { ...claimed, inputJson, itemJson }, step: { header, output }, ending };
  }

  /** False when the attempt was superseded, or the cleanup had ended. */
  async endCleanup(a: StepAddress, end: CleanupEnd): Promise<boolean> {
    const { attempt, becomes } = end;
    const reply = await this.#batch.apply(a.tag, 'end-cleanup', [
      a.runId,
      a.key,
      attempt === undefined ? '' : attempt.fence - attempt.createdAt,
      attempt?.attemptId ?? '',
      { succeeded: 'S', failed: 'F', retried: 'B', released: 'Y', parked: 'P' }[becomes],
      end.dataJson ?? '',
      end.retryInMs ?? '',
    ]);
    return reply[0] === 'ended';
  }

  async timeOutRun(tag: string, runId: string, errorJson: string): Promise<void> {
    await this.#batch.apply(tag, 'time-out-run', [runId, errorJson]);
  }

  /** Ends a run that cannot go on because its definition is gone or damaged. One that is ending already goes on to end. */
  async failRun(tag: string, runId: string, errorJson: string): Promise<void> {
    await this.#batch.apply(tag, 'fail-run', [runId, errorJson]);
  }

  async pauseOrResume(what: 'pause-run' | 'resume-run', tag: string, runId: string): Promise<void> {
    const [reply, status] = await this.#batch.apply(tag, what, [runId]);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') {
      // A run that was retried becomes active in a moment.
      const stands = status === 'a' ? 'is being reopened' : `is ${runStatusOf(status!)}`;
      throw new FlotillaError('RUN_NOT_ACTIVE', `run ${runId} ${stands}; it cannot be paused or resumed`);
    }
  }

  /** Sends the next of the steps that were held back while the run was paused; answers how many are left. */
  async sendHeld(tag: string, runId: string): Promise<number> {
    return Number((await this.#batch.apply(tag, 'send-held', [runId]))[0]);
  }

  async finishRun(tag: string, runId: string, end: { outputJson: string } | { errorJson: string }): Promise<void> {
    const args = 'outputJson' in end ? ['S', end.outputJson] : ['F', end.errorJson];
    await this.#batch.apply(tag, 'finish-run', [runId, ...args]);
  }

  /**
   * Opens an ended run again. `seen`: the opening whose end the caller knows; when the run has been opened since, nothing
   * happens. RUN_NOT_FOUND; `refused` with the letter of a run that has not ended or that succeeded, or with `discarded`
   * when the selected steps must be dead letters and are not.
   */
  async retryRun(
    tag: string,
    runId: string,
    a: { seen: number | undefined; selectionJson: string; dataJson: string; mustBeDead?: boolean },
  ): Promise<{ reply: 'retried' | 'already'; opening: number; status: string } | { reply: 'refused'; status: string }> {
    // The script puts the opening's number in front of the data.
    const data = a.dataJson === '{}' ? '' : `,${a.dataJson.slice(1, -1)}`;
    const [reply, second, third] = await this.#batch.apply(tag, 'retry-run', [
      runId,
      a.seen ?? '',
      a.selectionJson,
      data,
      a.mustBeDead === true ? 1 : '',
    ]);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') return { reply, status: second! };
    return { reply: reply as 'retried' | 'already', opening: Number(second), status: third! };
  }

  /** One slice of taking away what is to be made anew; false when the run is not being reopened (any more). */
  async resetSteps(tag: string, runId: string, opening: number, slice: ResetSlice): Promise<boolean> {
    const reply = await this.#batch.apply(tag, 'reset-steps', [
      runId,
      opening,
      slice.timersOf.length,
      ...slice.timersOf,
      slice.remove.length,
      ...slice.remove,
      ...slice.set.flat(),
    ]);
    return reply[0] === 'reset';
  }

  async reopenRun(
    tag: string,
    runId: string,
    opening: number,
    a: { endPending: number; failureJson: string | undefined; timeoutMs: number | undefined },
  ): Promise<boolean> {
    const args = [runId, opening, a.endPending, a.failureJson ?? '', a.timeoutMs ?? ''];
    return (await this.#batch.apply(tag, 'reopen-run', args))[0] === 'reopened';
  }

  /**
   * Takes steps off the list of dead letters; one answer each: whether it was there. `refused` when the run is not one that
   * ended so, or has been opened again since `seen`. @throws FlotillaError RUN_NOT_FOUND
   */
  async discardDeadLetters(
    tag: string,
    runId: string,
    seen: number | undefined,
    keys: readonly StepKey[],
  ): Promise<boolean[] | { refused: RunStatus }> {
    const [reply, ...rest] = await this.#batch.apply(tag, 'discard-dead-letters', [runId, seen ?? '', ...keys]);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') return { refused: runStatusOf(rest[0]!) };
    return rest.map((was) => was === '1');
  }

  async sweepRun(tag: string, runId: string, keys: readonly StepKey[]): Promise<void> {
    await this.#batch.apply(tag, 'sweep-run', [runId, ...keys]);
  }

  async pruneRun(tag: string, runId: string): Promise<boolean> {
    return (await this.#batch.apply(tag, 'prune-run', [runId]))[0] === 'pruned';
  }

  /** Acknowledges outbox entries and keeps timers: letter, step key, run, in ms. */
  async dispatched(tag: string, entryIds: readonly string[], timers: readonly (string | number)[]): Promise<void> {
    await this.#batch.apply(tag, 'dispatched', [entryIds.length, ...entryIds, ...timers]);
  }

  async handBack(
    tag: string,
    steps: readonly { runId: string; definitionHash: string; key: StepKey }[],
  ): Promise<void> {
    await this.#batch.apply(
      tag,
      'hand-back',
      steps.flatMap((step) => [step.runId, step.definitionHash, step.key]),
    );
  }

  /** `lookedAt` counts also what needs no scheduler; when it equals `limit`, more may be due now. */
  async takeDue(
    tag: string,
    limit: number,
  ): Promise<{ nextDueAt: number | undefined; lookedAt: number; taken: TakenTimer[] }> {
    const reply = await this.#batch.apply(tag, 'take-due', [limit]);
    const taken: TakenTimer[] = [];
    for (let index = 2; index < reply.length; index += 2) {
      const [letter, key, ...run] = reply[index]!.split('|');
      taken.push({ letter: letter!, key: key!, runId: run.join('|'), dueAt: Number(reply[index + 1]) });
    }
    return { nextDueAt: reply[0] === '' ? undefined : Number(reply[0]), lookedAt: Number(reply[1]), taken };
  }

  async endTimer({ tag, runId, key }: StepAddress, letter: string): Promise<void> {
    await this.#batch.apply(tag, 'end-timer', [letter, key, runId]);
  }

  async recheck(a: StepAddress, againInMs: number, handOutAgain: boolean): Promise<'waiting' | 'done'> {
    const [reply] = await this.#batch.apply(a.tag, 'recheck', [a.runId, a.key, againInMs, flag(handOutAgain)]);
    return reply as 'waiting' | 'done';
  }

  /** `lookedAt` counts also the entries of living workers; when it equals `limit`, more may wait. */
  async reclaim(
    tag: string,
    settings: { limit: number; pauseMs: number; suspensionMs: number; crashLimit: number },
  ): Promise<{ lost: number; suspended: boolean; lookedAt: number; undecided: UndecidedAttempt[] }> {
    const { limit, pauseMs, suspensionMs, crashLimit } = settings;
    const reply = await this.#batch.apply(tag, 'reclaim', [limit, pauseMs, suspensionMs, crashLimit]);
    const undecided: UndecidedAttempt[] = [];
    for (let index = 3; index < reply.length; index += 6) {
      const [why, key, runId, fenceOffset, attemptId, definitionHash] = reply.slice(index, index + 6) as string[];
      undecided.push({
        why: why as UndecidedAttempt['why'],
        key: key!,
        runId: runId!,
        fenceOffset: Number(fenceOffset),
        attemptId: attemptId!,
        definitionHash: definitionHash!,
      });
    }
    return { lost: Number(reply[0]), suspended: Number(reply[1]) === 1, lookedAt: Number(reply[2]), undecided };
  }

  /** Renews a worker's lease in one partition; answers Redis' clock and the runs that began to end since `endingSince`. */
  async renew(tag: string, worker: string, endingSince: number): Promise<{ now: number; ending: string[] }> {
    const [now, ...ending] = await this.#batch.apply(tag, 'renew', [worker, endingSince]);
    return { now: Number(now), ending };
  }

  async leave(tag: string, worker: string): Promise<void> {
    await this.#batch.apply(tag, 'leave', [worker]);
  }
}

/** Fields of a run's hash that a retry takes away and sets; a few hundred at most, so that a script stays short. */
export interface ResetSlice {
  /** Steps whose timers end. */
  timersOf: StepKey[];
  remove: string[];
  set: (readonly [field: string, value: string | number])[];
}

/** q hint, d delay, w queued time, t total time, r run time; b backing off and p parked only of runs with damaged fields. */
export interface TakenTimer {
  letter: string;
  key: StepKey;
  runId: string;
  dueAt: number;
}

export interface UndecidedAttempt {
  /** `damaged`: the run's fields cannot be read; only `key` (of the chain's head) and `runId` are known. */
  why: 'overdue' | 'crashes' | 'damaged';
  key: StepKey;
  runId: string;
  fenceOffset: number;
  attemptId: string;
  definitionHash: string;
}

function checkpointParts(checkpoint: StoredCheckpoint, createdAt: number): string {
  return `${checkpoint.ts - createdAt}|${checkpoint.seq}|${checkpoint.checksum}|${checkpoint.previous}`;
}

/** Texts of edges that callers keep: those of a plan are asked for with every step. */
const edgeTexts = new WeakMap<readonly EdgeArgument[], string>();

function edgeText(edges: readonly EdgeArgument[]): string {
  let text = edgeTexts.get(edges);
  if (text === undefined) {
    text = edges
      .map(({ group, delta, initial, any, next }) =>
        [group, delta, initial, any ? 'y' : 'a', next?.key ?? '', next?.attemptMs ?? ''].join('|'),
      )
      .join(';');
    edgeTexts.set(edges, text);
  }
  return text;
}

/** What `claimed` and `continued` replies have in common: fence, now, failures, crashes, first; then what was asked for. */
function claimedAttempt(
  reply: TransitionReply,
  sources: readonly StepKey[],
  createdAt: number,
  [fence, now, failures, crashes, first]: readonly (string | undefined)[],
): ClaimedAttempt {
  return {
    fence: createdAt + Number(fence),
    claimedAt: Number(now),
    createdAt,
    failures: Number(failures),
    crashes: Number(crashes),
    firstAt: createdAt + Number(first),
    inputJson: reply[1] ?? '',
    itemJson: reply[2] ?? '',
    sources: sources.map((key, index) => ({
      key,
      header: reply[3 + index * 2] ?? '',
      output: reply[4 + index * 2] ?? '',
    })),
  };
}

const isItem = (key: StepKey) => key.includes('.');

function joinLetter({ any }: StepGroup): string {
  return any ? 'y' : 'a';
}
