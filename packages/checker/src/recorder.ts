import { mkdirSync } from 'node:fs';
import type { ClientCall, FaultEntry, Recording } from './recording.ts';
import { appendToRecording, type Part } from './recording-folder.ts';

type Item<Name extends Part> = Recording[Name][number];

/** Gathers a recording as things happen; with a folder each item is also written at once. */
export class Recorder {
  readonly #folder: string | undefined;
  readonly #parts: { [Name in Part]: Item<Name>[] } = {
    calls: [],
    runs: [],
    listings: [],
    effects: [],
    faults: [],
    processes: [],
    sightings: [],
    breakers: [],
    dependencyCalls: [],
    scans: [],
  };

  /** The folder is created; what is in it stays, and is added to. */
  constructor(folder?: string) {
    this.#folder = folder;
    if (folder !== undefined) mkdirSync(folder, { recursive: true });
  }

  add<Name extends Part>(part: Name, item: Item<Name>): void {
    (this.#parts[part] as Item<Name>[]).push(item);
    if (this.#folder !== undefined) appendToRecording(this.#folder, part, item);
  }

  addAll<Name extends Part>(part: Name, items: readonly Item<Name>[]): void {
    for (const item of items) this.add(part, item);
  }

  /**
   * Makes a fault and records it with its times. `inject` answers with what shows that it hit; for a crash the fault ends
   * when it begins.
   */
  async fault(
    fault: Pick<FaultEntry, 'faultId' | 'kind' | 'targets'> & { isCrash?: boolean },
    inject: () => Promise<readonly string[]>,
  ): Promise<FaultEntry> {
    const { isCrash = false, ...known } = fault;
    const startAt = Date.now();
    const proof = await inject();
    const entry = { ...known, startAt, endAt: isCrash ? startAt : Date.now(), proof };
    this.add('faults', entry);
    return entry;
  }

  /**
   * Drops calls, effects and histories of these runs: who records for hours checks as it goes, and does not keep everything
   * in memory. What is in the folder stays.
   */
  forgetRuns(runIds: ReadonlySet<string>): void {
    const parts = this.#parts;
    parts.calls = parts.calls.filter((call) => {
      const runId = runOfCall(call);
      return runId === undefined || !runIds.has(runId);
    });
    parts.effects = parts.effects.filter(({ runId }) => !runIds.has(runId));
    parts.runs = parts.runs.filter(({ run }) => !runIds.has(run.runId));
  }

  /** What has been recorded until now. */
  recording(): Recording {
    const { calls, runs, listings, effects, faults, processes, sightings, breakers, dependencyCalls, scans } =
      this.#parts;
    return {
      calls: [...calls],
      runs: [...runs],
      listings: [...listings],
      effects: [...effects],
      faults: [...faults],
      processes: [...processes],
      sightings: [...sightings],
      breakers: [...breakers],
      dependencyCalls: [...dependencyCalls],
      scans: [...scans],
    };
  }
}

/** Undefined for a start that nobody answered and that names none. */
export function runOfCall(call: ClientCall): string | undefined {
  return call.kind === 'cancel' ? call.runId : (call.answer?.runId ?? call.request.runId);
}
