import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { StepAddress } from './addresses.ts';
import { flag } from './argument-texts.ts';

/** An entry of the due index that a scheduler has taken. Backing-off and parked steps only of runs with damaged fields. */
export interface TakenTimer {
  /** One of `DUE`; of a newer release possibly another. */
  letter: string;
  key: StepKey;
  runId: string;
  dueAt: number;
  /** How often it was taken before, without having been done. */
  takenBefore: number;
}

export interface DueLook {
  /** Until the next entry is due; undefined when there is none, or when as many as `limit` were looked at. */
  nextInMs: number | undefined;
  /** Counts also what needs no scheduler; when it equals `limit`, more may be due now. */
  lookedAt: number;
  /** Whether attempts are under way in the partition: each may put timers into the index at any moment. */
  hasAttempts: boolean;
  taken: TakenTimer[];
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

/** Takings are counted in these parts of a score's millisecond. */
const TAKINGS_A_MS = 8;

/** What schedulers look at because its time has come. */
export const timerTransitions = (batch: TransitionBatch) => ({
  async takeDue(tag: string, limit: number): Promise<DueLook> {
    const reply = await batch.apply(tag, 'take-due', pack('take-due', { limit }));
    const taken: TakenTimer[] = [];
    for (let index = 3; index < reply.length; index += 2) {
      const [letter, key, ...run] = reply[index]!.split('|');
      const score = Number(reply[index + 1]);
      const dueAt = Math.floor(score);
      const takenBefore = Math.round((score - dueAt) * TAKINGS_A_MS);
      taken.push({ letter: letter!, key: key!, runId: run.join('|'), dueAt, takenBefore });
    }
    const nextInMs = reply[0] === '' ? undefined : Number(reply[0]);
    return { nextInMs, lookedAt: Number(reply[1]), hasAttempts: Number(reply[2]) === 1, taken };
  },

  async endTimer({ tag, runId, key }: StepAddress, letter: string): Promise<void> {
    await batch.apply(tag, 'end-timer', pack('end-timer', { letter, key, runId }));
  },

  async recheck(a: StepAddress, againInMs: number, handOutAgain: boolean): Promise<'waiting' | 'done'> {
    const args = pack('recheck', { runId: a.runId, key: a.key, againInMs, handsOutAgain: flag(handOutAgain) });
    const [reply] = await batch.apply(a.tag, 'recheck', args);
    return reply as 'waiting' | 'done';
  },

  /** `lookedAt` counts also the entries of living workers; when it equals `limit`, more may wait. */
  async reclaim(
    tag: string,
    settings: { limit: number; pauseMs: number; suspensionMs: number; crashLimit: number },
  ): Promise<{ lost: number; suspended: boolean; lookedAt: number; undecided: UndecidedAttempt[] }> {
    const { limit, pauseMs, suspensionMs, crashLimit } = settings;
    const args = pack('reclaim', { limit, pauseMs, suspensionMs, crashLimit });
    const reply = await batch.apply(tag, 'reclaim', args);
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
  },
});
