import assert from 'node:assert/strict';
import type { Plan } from '@flotilla/engine';
import type { RedisClient } from '@flotilla/redis';
import { FIELD, parseRunMeta, partitionTag, State, type StepKey, stateKey } from '@flotilla/state';
import { compareCleanups, compareHistory, comparePartition, compareRun, compareSteps } from './compare.ts';
import { compareIndexes, type SeenSets } from './compare-indexes.ts';
import type { Submission } from './create-run.ts';
import { type ObservedPartition, type ObservedRun, observePartition, observeRun, redisTime } from './observe.ts';
import { compileRandom, FAR_MS } from './random-workflow.ts';
import { TAKEN_MS } from './reference/failure-transitions.ts';
import { DUE_NOW } from './reference/gathered-index.ts';
import { type Clock, LEASE_MS, Reference } from './reference/reference.ts';
import type { ReferenceRun } from './reference/reference-run.ts';

/** One transition: how it is asked for, and what the reference says to its answer. */
export interface Call {
  what: string;
  send: () => Promise<unknown>;
  apply: (reply: unknown, clock: Clock) => void;
  /** The second of two script calls that one answer stands for. */
  applySecond: (reply: unknown, clock: Clock) => void;
  /** What the caller does with the answer, in calls that follow. */
  followUps: (reply: unknown) => Call[];
  /** Claims and commits are sent to a script of their own. */
  hot: boolean;
  /** Several script calls in turn: it shares none with others. */
  alone: boolean;
  /** Whether asking again may change nothing, given the first answer. */
  silent: (reply: unknown) => boolean;
  /** Whether a second answer means the same as the first. */
  equivalent: (first: unknown, second: unknown) => boolean;
}

export interface CallParts<Reply> {
  what: string;
  send: () => Promise<Reply>;
  apply: (reply: Reply, clock: Clock) => void;
  applySecond?: (reply: Reply, clock: Clock) => void;
  followUps?: (reply: Reply) => Call[];
  hot?: boolean;
  alone?: boolean;
  silent?: boolean | ((reply: Reply) => boolean);
  equivalent?: (first: Reply, second: Reply) => boolean;
}

export function call<Reply>(parts: CallParts<Reply>): Call {
  const { what, send, apply, applySecond, followUps, hot = false, alone = false, silent = true, equivalent } = parts;
  return {
    what,
    send,
    hot,
    alone,
    apply: (reply, clock) => apply(reply as Reply, clock),
    applySecond: (reply, clock) => applySecond?.(reply as Reply, clock),
    followUps: (reply) => followUps?.(reply as Reply) ?? [],
    silent: (reply) => (typeof silent === 'function' ? silent(reply as Reply) : silent),
    equivalent: (first, second) =>
      equivalent === undefined
        ? withoutClock(first) === withoutClock(second)
        : equivalent(first as Reply, second as Reply),
  };
}

function withoutClock(reply: unknown): string {
  return (
    JSON.stringify(reply, (name, value: unknown) => (name === 'claimedAt' || name === 'now' ? undefined : value)) ?? ''
  );
}

/** An attempt that some worker believes it is making. */
export interface KnownAttempt {
  run: ReferenceRun;
  key: StepKey;
  attemptId: string;
  fence: number;
  worker: string;
}

export interface Hint {
  run: ReferenceRun;
  key: StepKey;
}

type Observed = { partitions: ObservedPartition[]; runs: ObservedRun[] };

export const PARTITIONS = 2;

/** Real state and its reference side by side, and what schedulers and workers remember between two calls. */
export class World {
  readonly client: RedisClient;
  readonly namespace: string;
  readonly state: State<Plan>;
  readonly reference = new Reference();
  readonly tags: readonly string[];
  hints: Hint[] = [];
  readonly attempts = new Map<string, KnownAttempt>();
  /** What a scheduler decides of a step: asked again it decides the same. */
  readonly decisions = new Map<string, number>();
  /** Runs that users ask for, some of them again and again. */
  readonly submissions: Submission[] = [];
  readonly #seenSets: SeenSets = new Map();
  #attemptNumber = 0;
  #lastLookedAt = 0;
  #endingBefore = new Map<string, string[]>();

  constructor(client: RedisClient, namespace: string) {
    this.client = client;
    this.namespace = namespace;
    this.state = new State<Plan>({
      client,
      namespace,
      partitions: PARTITIONS,
      compile: (text) => compileRandom(JSON.parse(text)),
      leaseDurationMs: LEASE_MS,
    });
    this.tags = Array.from({ length: PARTITIONS }, (_, partition) => partitionTag(namespace, partition));
  }

  newAttemptId(): string {
    this.#attemptNumber += 1;
    return `attempt-${this.#attemptNumber}`;
  }

  get runs(): ReferenceRun[] {
    return [...this.reference.runs.values()];
  }

  /** Runs of a partition that were ending before the script call that is under way. */
  endingBefore(tag: string): string[] {
    return this.#endingBefore.get(tag) ?? [];
  }

  /** A run is gone, and with it all that was remembered of it. */
  forget(runId: string): void {
    this.hints = this.hints.filter(({ run }) => run.id !== runId);
    for (const [attemptId, { run }] of this.attempts) if (run.id === runId) this.attempts.delete(attemptId);
    for (const name of this.decisions.keys()) if (name.startsWith(`${runId}|`)) this.decisions.delete(name);
  }

  /**
   * Sends calls so that those of one script share one script call, and compares everything after each; then does what
   * follows.
   */
  async execute(calls: readonly Call[], options: { followUps?: boolean } = {}): Promise<unknown[]> {
    const other = calls.findIndex(
      ({ hot, alone }, index) => hot !== calls[0]!.hot || (index > 0 && (alone || calls[0]!.alone)),
    );
    if (other < 0) return this.#executeTogether(calls, options);
    const replies = await this.execute(calls.slice(0, other), options);
    return [...replies, ...(await this.execute(calls.slice(other), options))];
  }

  async #executeTogether(calls: readonly Call[], { followUps = true }): Promise<unknown[]> {
    for (const tag of this.tags) {
      const ending = this.runs.filter((run) => run.tag === tag && run.status === 'cancelling' && !run.cleanupsBegun);
      this.#endingBefore.set(tag, ending.map(({ id }) => id).sort());
    }
    const from = this.#lastLookedAt;
    const replies = await Promise.all(calls.map(({ send }) => send()));
    const [to, observed] = await Promise.all([redisTime(this.client), this.#observe()]);
    const clock = { from, to };
    this.#lastLookedAt = to;
    try {
      for (const [index, { apply }] of calls.entries()) apply(replies[index], clock);
      for (const [index, { applySecond }] of calls.entries()) applySecond(replies[index], clock);
      this.#compare(clock, observed);
      await compareIndexes(this.client, this.reference, this.tags, this.#seenSets);
    } catch (error) {
      const what = calls.map((one, index) => `${one.what} -> ${JSON.stringify(replies[index])}`).join('\n  ');
      throw new Error(`after\n  ${what}\n${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    await this.#putOffTaken(clock);
    if (followUps) {
      for (const [index, one] of calls.entries()) {
        const next = one.followUps(replies[index]);
        if (next.length > 0) await this.execute(next);
      }
    }
    return replies;
  }

  /** Asks again, as a caller does that lost the answer: it must be told the same, and nothing more may change. */
  async repeat(one: Call, first: unknown): Promise<void> {
    const before = this.reference.digest();
    const [second] = await this.execute([one], { followUps: false });
    if (one.silent(first)) {
      assert.equal(this.reference.digest(), before, `${one.what}: asked again, it changed something more`);
      assert.ok(
        one.equivalent(first, second),
        `${one.what}: first ${JSON.stringify(first)}, asked again ${JSON.stringify(second)}`,
      );
    }
  }

  /** A due or in-flight entry's time comes. */
  async makeDue(index: 'due' | 'lease' | 'workers', tag: string, members: readonly string[]): Promise<void> {
    if (members.length === 0) return;
    await this.client.zadd(stateKey(tag, index), 'XX', ...members.flatMap((member) => [DUE_NOW, member]));
    for (const member of members) this.reference[index].writeNow(tag, member, { from: DUE_NOW, to: DUE_NOW });
  }

  /** Compares a run with what the API tells of it. */
  async compareViews(run: ReferenceRun): Promise<void> {
    const to = await redisTime(this.client);
    const [view, history, { steps }, { cleanups }] = await Promise.all([
      this.state.readRun(run.id),
      this.state.readHistory(run.id, { after: -1, limit: 10_000 }),
      this.state.listSteps(run.id, { limit: 1000 }),
      this.state.listCleanups(run.id, { limit: 1000 }),
    ]);
    const isReopening = run.status === 'reopening';
    assert.equal(view?.status, isReopening ? 'pending' : run.status);
    assert.equal(view?.counts?.running ?? 0, run.live);
    const errors: (string | undefined)[] = [
      isReopening ? undefined : (run.ending?.error ?? (run.status === 'failed' ? run.failure : undefined)),
    ];
    assert.deepEqual(view?.error, errors[0] === undefined ? undefined : JSON.parse(errors[0]), 'error of the run');
    compareHistory(run, history.events, { to });
    compareSteps(run, steps);
    compareCleanups(run, cleanups);
  }

  async #observe() {
    const [partitions, runs] = await Promise.all([
      Promise.all(this.tags.map((tag) => observePartition(this.client, tag))),
      Promise.all(this.submissions.map(({ tag, runId }) => observeRun(this.client, tag, runId))),
    ]);
    return { partitions, runs };
  }

  #compare(clock: Clock, { partitions, runs }: Observed): void {
    const sent = this.reference.flush();
    this.tags.forEach((tag, index) => {
      const lines = sent.get(tag) ?? [];
      const known = new Set(this.reference.outbox.filter((entry) => entry.tag === tag).map(({ id }) => id));
      const added = partitions[index]!.outbox.filter(({ id }) => !known.has(id));
      // A map starts in two script calls, so there may be two entries.
      const sortedLines = (list: readonly string[]) => [...list].sort();
      assert.deepEqual(
        sortedLines(added.flatMap((entry) => entry.lines)),
        sortedLines(lines),
        'new entries of the outbox',
      );
      for (const { id, lines: own } of added) this.reference.outbox.push({ tag, id, lines: own });
    });
    this.submissions.forEach(({ runId }, index) => {
      const run = this.reference.runs.get(runId);
      const observed = runs[index]!;
      if (run === undefined) {
        assert.deepEqual(observed, { fields: {}, historyLength: 0, held: [], deadLetters: [] }, 'a run that is gone');
        return;
      }
      if (run.createdAt === 0) {
        const { createdAt } = parseRunMeta(observed.fields[FIELD.meta] ?? '');
        assert.ok(
          createdAt >= clock.from && createdAt <= clock.to,
          `a run is created on the clock of Redis: ${createdAt}`,
        );
        run.createdAt = createdAt;
      }
      compareRun(run, observed);
    });
    for (const [index, tag] of this.tags.entries()) comparePartition(this.reference, tag, partitions[index]!);
  }

  /** What a scheduler has taken comes back in 5 s, by itself; here it comes back when the test says so. */
  async #putOffTaken(clock: Clock): Promise<void> {
    const later = clock.to + FAR_MS;
    for (const name of ['due', 'lease'] as const) {
      for (const tag of this.tags) {
        const index = this.reference[name];
        const taken = [...index.of(tag)].filter(([, { from, to }]) => to > DUE_NOW && from <= clock.to + TAKEN_MS);
        if (taken.length === 0) continue;
        await this.client.zadd(stateKey(tag, name), 'XX', ...taken.flatMap(([member]) => [later, member]));
        for (const [member] of taken) index.writeNow(tag, member, { from: later, to: later });
      }
    }
  }
}
