import { setTimeout as pause } from 'node:timers/promises';
import {
  collectRuns,
  EMPTY_RECORDING,
  judgeRecording,
  type ProcessEntry,
  type RecordedRun,
  type Recorder,
  runOfCall,
  type Violation,
} from '@flotilla/checker';
import { isTerminalRunStatus, type RunView } from '@flotilla/contracts';
import { type FleetApi, mapInTurn } from '@flotilla/local-fleet';
import { withBounds } from '../driver/bounds.ts';
import { faultOf, takesAttempts } from '../driver/fault-table.ts';
import { recoveriesOf } from '../driver/recoveries.ts';
import { faultEntryOf, type MadeFault } from '../driver/run-chaos.ts';
import type { OpenRun, PacedLoad } from './paced-load.ts';

export interface HistoryWatchOptions {
  api: FleetApi;
  recorder: Recorder;
  load: PacedLoad;
  /** Faults that are over. */
  made: readonly MadeFault[];
  /** All processes there were until now. */
  processes: () => readonly ProcessEntry[];
  /** Told of each violation when it is found. */
  tell: (line: string) => void;
  /** A fault is being made: what it hits cannot be judged before it is known. */
  isDisturbed: () => boolean;
  /** Pause between two looks. Default 400. */
  lookEveryMs?: number;
  /** From the end of a run until it is checked: results that come late belong to its history. Default 3000. */
  checkAfterMs?: number;
}

interface EndedRun {
  open: OpenRun;
  run: RecordedRun;
}

const RUNS_AT_ONCE = 6;
const PAGE = 500;

/** Reads the history of each run soon after its end, before it is removed, checks it against the invariants and drops it. */
export class HistoryWatch {
  readonly violations: Violation[] = [];
  /** What a Redis that was killed had acknowledged and not yet written. */
  readonly lostWithRedis: Violation[] = [];
  readonly problems: string[] = [];
  readonly recoveriesMs: number[] = [];
  checked = 0;
  /** Why the last look found nothing out; undefined when it did. */
  lastFailure: string | undefined;
  steps = 0;
  doubleCommits = 0;
  readonly #options: HistoryWatchOptions;
  readonly #lookEveryMs: number;
  readonly #checkAfterMs: number;
  #ended: EndedRun[] = [];
  /** Accepted and not there. */
  readonly #missing = new Set<string>();
  #stopped = false;
  #loop: Promise<void> | undefined;

  constructor(options: HistoryWatchOptions) {
    this.#options = options;
    this.#lookEveryMs = options.lookEveryMs ?? 400;
    this.#checkAfterMs = options.checkAfterMs ?? 3000;
  }

  start(): void {
    this.#loop = this.#keepLooking();
  }

  /** Waits up to `timeoutMs` until all accepted runs have ended; those that have not are problems. */
  async finish(timeoutMs: number): Promise<void> {
    const { open } = this.#options.load;
    const endsAt = performance.now() + timeoutMs;
    while (open.size > 0 && performance.now() < endsAt) await pause(this.#lookEveryMs);
    this.#stopped = true;
    await this.#loop;
    await pause(this.#checkAfterMs);
    this.#check(Number.POSITIVE_INFINITY);
    this.#judgeMissing();
    for (const runId of open.keys()) this.problems.push(`G2 ${runId} has not ended`);
  }

  async #keepLooking(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#collect();
        this.lastFailure = undefined;
      } catch (error) {
        // Nobody answers while all that could is away; the next look finds what this one missed.
        this.lastFailure = (error as Error).message;
      }
      if (!this.#options.isDisturbed()) this.#check(Date.now() - this.#checkAfterMs);
      await pause(this.#lookEveryMs);
    }
  }

  async #collect(): Promise<void> {
    const { load, api, recorder } = this.#options;
    const before = [...load.open.values()];
    const running = await this.#listOpen();
    const { calls } = recorder.recording();
    const callsOf = Map.groupBy(calls, runOfCall);
    const ended = before.filter(({ runId }) => !running.has(runId));
    await mapInTurn(ended, RUNS_AT_ONCE, async (open) => {
      const { runId } = open;
      const [run] = await collectRuns(api, [runId], callsOf.get(runId) ?? []).catch((error: Error) => {
        if (!error.message.includes('RUN_NOT_FOUND')) throw error;
        if (load.hasEnded(runId)) this.#missing.add(runId);
        return [];
      });
      if (run === undefined || !isTerminalRunStatus(run.run.status)) return;
      // A look that failed leaves others of its calls under way, which may come to an end during the next one.
      if (load.hasEnded(runId)) this.#ended.push({ open, run });
    });
  }

  async #listOpen(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const status of ['running', 'paused']) {
      let cursor: string | undefined;
      do {
        const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const path = `/v1/runs?status=${status}&limit=${PAGE}${from}`;
        const page = await this.#options.api.get<{ runs: RunView[]; cursor?: string }>(path);
        for (const { runId } of page.runs) found.add(runId);
        cursor = page.cursor;
      } while (cursor !== undefined);
    }
    return found;
  }

  /** Those that ended before `until`, wall clock. */
  #check(until: number): void {
    const isDue = ({ run }: EndedRun) => (run.run.endedAt ?? 0) <= until;
    const due = this.#ended.filter(isDue);
    if (due.length === 0) return;
    this.#ended = this.#ended.filter((ended) => !isDue(ended));
    const { recorder, made, processes } = this.#options;
    const runs = due.map(({ run }) => run);
    const runIds = new Set(runs.map(({ run }) => run.runId));
    const { calls, effects } = recorder.recording();
    // One that shows nothing is told of once, at the end.
    const faults = withBounds(made).filter(({ proof }) => proof.length > 0);
    const recording = {
      ...EMPTY_RECORDING,
      runs,
      calls: calls.filter((call) => runIds.has(runOfCall(call) ?? '')),
      effects: effects.filter(({ runId }) => runIds.has(runId)),
      faults: faults.map(faultEntryOf),
      processes: processes(),
    };
    const recoveryMs = Object.fromEntries(faults.map((fault) => [faultEntryOf(fault).kind, fault.boundMs]));
    const bounds = { recoveryMs, cancelMs: faultOf('F25').boundMs };
    const judgement = judgeRecording(recording, { bounds });
    const { lostWithRedis } = judgement;
    // How processes ended is judged once, at the end; here they tell whose attempts may be taken.
    const violations = judgement.violations.filter(({ invariant }) => invariant !== 'V18');
    this.violations.push(...violations);
    this.lostWithRedis.push(...lostWithRedis);
    for (const { invariant, runId, message } of violations)
      this.#options.tell(`${invariant} ${runId ?? ''}: ${message}`);
    for (const { open, run } of due) this.problems.push(...findWrongEnd(open, run));
    for (const fault of faults) {
      this.recoveriesMs.push(...recoveriesOf(fault, runs, takesAttempts(fault.planned.id)));
    }
    this.#count(runs);
    recorder.forgetRuns(runIds);
  }

  /** At the end, when it is known what was done to Redis. */
  #judgeMissing(): void {
    const { recorder, made } = this.#options;
    const calls = recorder.recording().calls.filter((call) => this.#missing.has(runOfCall(call) ?? ''));
    const { lostWithRedis } = judgeRecording({ ...EMPTY_RECORDING, calls, faults: made.map(faultEntryOf) });
    this.lostWithRedis.push(...lostWithRedis);
    const excused = new Set(lostWithRedis.map(({ runId }) => runId));
    for (const runId of this.#missing) {
      if (!excused.has(runId)) this.problems.push(`G1 ${runId} was accepted and is not there`);
    }
  }

  #count(runs: readonly RecordedRun[]): void {
    this.checked += runs.length;
    for (const { events } of runs) {
      const commits = events.filter(({ type }) => type === 'step-succeeded').map(({ stepId }) => stepId);
      this.steps += commits.length;
      this.doubleCommits += commits.length - new Set(commits).size;
    }
  }
}

/** What the checker cannot know: how the run was to end. */
function findWrongEnd({ graph }: OpenRun, { run }: RecordedRun): string[] {
  const { runId, status, error, output } = run;
  if (!graph.ends.includes(status)) return [`${runId} (${graph.shape}) is ${status}: ${JSON.stringify(error)}`];
  if (status !== 'succeeded' || output === graph.output) return [];
  return [`${runId} (${graph.shape}) gave ${JSON.stringify(output)}, not ${JSON.stringify(graph.output)}`];
}
