import type { TaskQueues } from '@flotilla/queue';
import { isCluster, type RedisClient } from '@flotilla/redis';
import {
  type DueTimer,
  type Outbox,
  type OutboxMessage,
  type PartitionMessages,
  parseChannelLine,
  parseOutboxLine,
} from '@flotilla/state';
import { type Meters, NO_METERS } from '@flotilla/telemetry';
import type { Calm } from '../calm.ts';
import type { BreakerView } from '../decisions/breaker-view.ts';
import { carryOutEntry, type EntryDependencies } from '../decisions/carry-out-entry.ts';
import { deliverMessages } from '../decisions/channels/deliver-messages.ts';
import { giveChannelUp, tryChannel } from '../decisions/channels/try-channel.ts';
import { dispatchSteps, limitTimersOf, recheckTimersOf } from '../decisions/dispatch-steps.ts';
import { EntryTrials, READERS_BEFORE_TRIAL } from '../decisions/entry-trials.ts';
import type { FleetView } from '../decisions/fleet-view.ts';
import type { StepToDispatch } from '../decisions/start-step.ts';
import { NOT_UNDERSTOOD, tryEntry } from '../decisions/try-entry.ts';
import { Loop } from './loop.ts';

export interface RelayDependencies extends EntryDependencies {
  queues: TaskQueues;
  fleet: FleetView;
  breakers: BreakerView;
  /** A connection of its own: reading blocks. */
  blocking: RedisClient;
  schedulerId: string;
  calm: Calm;
  meters?: Meters;
}

const ENTRIES_A_TURN = 128;
const BLOCK_MS = 250;
/** On a Cluster the outboxes are on several nodes: they are asked in turn, this often. */
const CLUSTER_POLL_MS = 10;
/** Entries whose reader has neither acknowledged nor held them for this long are taken over: it died, or repeats itself. */
const TAKE_OVER_AFTER_MS = 1000;
const LOOK_FOR_ORPHANS_EVERY_MS = 250;
const LOOK_FOR_ORPHANS_IN_CALM_EVERY_MS = 1000;
/** Who works on entries says so this often: large ones take longer than a dead reader may be waited for. */
const HOLD_EVERY_MS = 250;
/** Deferred decisions of one entry that run side by side. */
const AT_ONCE = 64;

/** Timers of one script call. */
const TIMER_SLICE = 300;

/** BullMQ's connection waits through outages; beyond this the entries are left to whoever takes them over. */
const DISPATCH_DEADLINE_MS = 30_000;

/** Entries that this scheduler does not understand are handed on after this long: less than what a dead reader is waited for. */
const HAND_ON_AFTER_MS = TAKE_OVER_AFTER_MS / 2;

/** What came of them: steps for workers, and, by entry, the lines that another scheduler must carry out. */
interface Prepared {
  dispatchable: StepToDispatch[];
  notUnderstood: Map<string, string[]>;
}

/**
 * Turns what became ready into tasks: reads the outboxes, asks the plan what the entries mean, hands steps to BullMQ and
 * only then acknowledges. Any number of schedulers share the work as one consumer group; repeating an entry is harmless.
 */
export function createRelayLoop(dependencies: RelayDependencies): Loop {
  const relay = new Relay(dependencies);
  return new Loop({ name: 'relay-outbox', turn: () => relay.turn(), intervalMs: 0, logger: dependencies.logger });
}

class Relay {
  readonly #dependencies: RelayDependencies;
  readonly #outbox: Outbox;
  readonly #trials: EntryTrials;
  #orphansLookedForAt = 0;

  constructor(dependencies: RelayDependencies) {
    const { state, blocking, schedulerId } = dependencies;
    this.#dependencies = dependencies;
    this.#trials = new EntryTrials(state, schedulerId, dependencies.logger);
    this.#outbox = state.outbox({ blocking, reader: schedulerId, count: ENTRIES_A_TURN, blockMs: BLOCK_MS });
  }

  async turn(): Promise<number> {
    const { calm } = this.#dependencies;
    const orphansEveryMs = calm.isCalm ? LOOK_FOR_ORPHANS_IN_CALM_EVERY_MS : LOOK_FOR_ORPHANS_EVERY_MS;
    if (performance.now() - this.#orphansLookedForAt > orphansEveryMs) {
      this.#orphansLookedForAt = performance.now();
      await this.#handle(await this.#outbox.takeOver(TAKE_OVER_AFTER_MS));
    }
    const found = await this.#outbox.read();
    await this.#handle(found);
    return found.length === 0 && isCluster(this.#dependencies.blocking) ? CLUSTER_POLL_MS : 0;
  }

  async #handle(partitions: readonly PartitionMessages[]): Promise<void> {
    if (partitions.length === 0) return;
    this.#dependencies.calm.end();
    // On a Cluster a node that does not answer must not keep the partitions of the others waiting.
    if (isCluster(this.#dependencies.blocking)) {
      await allOrFirstError(partitions.map((partition) => this.#handleTogether([partition])));
    } else await this.#handleTogether(partitions);
  }

  async #handleTogether(partitions: readonly PartitionMessages[]): Promise<void> {
    const holding = setInterval(() => {
      for (const partition of partitions) void this.#hold(partition);
    }, HOLD_EVERY_MS);
    try {
      await this.#dispatch(partitions);
    } finally {
      clearInterval(holding);
      // Dispatching may have taken longer than what is read counts as news.
      this.#dependencies.calm.end();
    }
  }

  async #hold(partition: PartitionMessages): Promise<void> {
    try {
      await this.#outbox.hold(partition);
    } catch (error) {
      // Another scheduler may repeat them then, which is harmless.
      this.#dependencies.logger.debug({ error }, 'could not extend the hold on outbox entries');
    }
  }

  /**
   * Steps of all partitions become tasks together: fewer and fuller ones. What fails in one partition leaves its entries
   * to be taken over, and takes nothing from the others.
   */
  async #dispatch(found: readonly PartitionMessages[]): Promise<void> {
    const { state, queues, fleet, breakers, meters = NO_METERS } = this.#dependencies;
    const prepared = await Promise.allSettled(found.map((partition) => this.#prepare(partition)));
    const partitions = found.filter((_, index) => prepared[index]!.status === 'fulfilled');
    const done = prepared.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const dispatchable = done.flatMap((one) => one.dispatchable);
    const origin = oldestOf(partitions.flatMap(({ messages }) => messages.slice(0, 1)));
    const handedOut =
      dispatchable.length === 0
        ? []
        : await withDeadline(dispatchSteps(state, queues, fleet, breakers, dispatchable, origin), DISPATCH_DEADLINE_MS);
    // By Redis' clock, which wrote the entries, and this one's: never below nothing.
    if (handedOut.length > 0)
      meters.record('flotilla_schedule_lag_ms', Math.max(0, Date.now() - parseInt(origin, 10)), {});
    const byTag = Map.groupBy(handedOut, ({ runId }) => state.tagOf(runId));
    // Timers in slices, and the acknowledgement with the last: then everything that must follow from the entries is kept.
    await allOrFirstError(
      partitions.map(({ tag, messages }, index) => {
        const { notUnderstood } = done[index]!;
        const ids = messages.map(({ id }) => id).filter((id) => !notUnderstood.has(id));
        this.#handOnLater(tag, notUnderstood);
        return this.#keepTimers(tag, ids, recheckTimersOf(byTag.get(tag) ?? []));
      }),
    );
    const failed = prepared.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Carries out a partition's entries; answers the steps that go to workers, whose time limits are set then. */
  async #prepare({ tag, messages }: PartitionMessages): Promise<Prepared> {
    const suspects = messages.filter(({ readBefore }) => readBefore >= READERS_BEFORE_TRIAL);
    const lines = messages
      .filter((message) => !suspects.includes(message))
      .flatMap(({ id, lines: own }) => own.map((line) => ({ id, line })));
    const dispatchable: StepToDispatch[] = [];
    const notUnderstood = new Map<string, string[]>();
    for (let first = 0; first < lines.length; first += AT_ONCE) {
      const slice = lines.slice(first, first + AT_ONCE);
      const decided = await Promise.all(slice.map(({ line }) => this.#decide(tag, line)));
      for (const [index, steps] of decided.entries()) {
        const { id, line } = slice[index]!;
        if (steps !== NOT_UNDERSTOOD) dispatchable.push(...steps);
        else notUnderstood.set(id, [...(notUnderstood.get(id) ?? []), line]);
      }
    }
    for (const { id, lines: own } of suspects) {
      for (const line of own) {
        const steps = await this.#decideAlone(tag, line);
        if (steps !== NOT_UNDERSTOOD) dispatchable.push(...steps);
        else notUnderstood.set(id, [...(notUnderstood.get(id) ?? []), line]);
      }
    }
    await this.#keepTimers(tag, [], limitTimersOf(dispatchable));
    return { dispatchable, notUnderstood };
  }

  /** Its earlier readers may have died of it. */
  async #decideAlone(tag: string, line: string): Promise<StepToDispatch[] | typeof NOT_UNDERSTOOD> {
    const channel = parseChannelLine(line);
    if (channel !== undefined) {
      const suspect = { tag, name: line, runId: undefined, key: undefined };
      const steps = await this.#trials.carryOut(suspect, () => this.#decide(tag, line));
      if (steps === undefined) await giveChannelUp(channel, this.#dependencies, new Error('its readers have died'));
      return steps ?? [];
    }
    const entry = parseOutboxLine(line);
    if (entry === undefined) return this.#decide(tag, line);
    const key = entry.what === 'step' ? entry.key : undefined;
    const suspect = { tag, name: line, runId: entry.runId, key };
    return (await this.#trials.carryOut(suspect, () => this.#decide(tag, line))) ?? [];
  }

  /** Not at once: where there is no other scheduler, this one would read them over and over again. */
  #handOnLater(tag: string, entries: ReadonlyMap<string, readonly string[]>): void {
    for (const [id, lines] of entries) {
      setTimeout(() => {
        // Should it fail, the entry is taken over as that of a dead reader is.
        this.#outbox
          .handOn(tag, { id, lines })
          .catch((error: unknown) => this.#dependencies.logger.warn({ error }, 'could not dispatch an outbox entry'));
      }, HAND_ON_AFTER_MS).unref();
    }
  }

  async #keepTimers(tag: string, acknowledge: readonly string[], timers: readonly DueTimer[]): Promise<void> {
    const { transitions } = this.#dependencies.state;
    let first = 0;
    for (; timers.length - first > TIMER_SLICE; first += TIMER_SLICE) {
      await transitions.dispatched(tag, [], timers.slice(first, first + TIMER_SLICE));
    }
    const rest = timers.slice(first);
    if (rest.length > 0 || acknowledge.length > 0) await transitions.dispatched(tag, acknowledge, rest);
  }

  async #decide(tag: string, line: string): Promise<StepToDispatch[] | typeof NOT_UNDERSTOOD> {
    const { state, logger } = this.#dependencies;
    const channel = parseChannelLine(line);
    if (channel !== undefined) {
      await tryChannel(channel, {
        ...this.#dependencies,
        carryOut: () => deliverMessages(this.#dependencies, channel),
      });
      return [];
    }
    const entry = parseOutboxLine(line);
    if (entry === undefined) {
      if (line !== '') logger.error({ letter: line.slice(0, 1) }, 'dropping an unrecognized outbox entry');
      return [];
    }
    return tryEntry(entry, {
      state,
      logger,
      carryOut: async () => carryOutEntry(this.#dependencies, await state.readPlan(tag, entry.definitionHash), entry),
    });
  }
}

/** Waits for all of them, and rejects with the first error when there was one. */
async function allOrFirstError(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The id that was given first: ids begin with Redis' milliseconds. */
function oldestOf(messages: readonly OutboxMessage[]): string {
  const ids = messages.map(({ id }) => id);
  return ids.reduce((first, id) => (Number.parseInt(id, 10) < Number.parseInt(first, 10) ? id : first), ids[0] ?? '');
}

async function withDeadline<T>(promise: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the task queues did not answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
