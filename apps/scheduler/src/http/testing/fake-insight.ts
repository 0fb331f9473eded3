import type { RunUsage } from '@flotilla/contracts';
import {
  type ErrorGroup,
  FlotillaError,
  type LogIndex,
  type Report,
  type RunComparison,
  type RunCounts,
  type RunLedger,
  type RunsFrame,
  type RunView,
  type StepLogs,
} from '@flotilla/contracts';
import type { InsightApi } from '../insight/insight-api.ts';
import type { FakeRunApi } from './fake-run-api.ts';

/** What a scheduler sees of runs in memory, for tests of the HTTP edge alone. */
export class FakeInsight implements InsightApi {
  readonly #api: FakeRunApi;

  constructor(api: FakeRunApi) {
    this.#api = api;
  }

  async countRuns(): Promise<RunCounts> {
    return { status: { pending: this.#api.runs.size }, waiting: { queued: this.#api.runs.size } };
  }

  async findRuns(id: string): Promise<RunView[]> {
    const found = this.#api.runs.get(id);
    return found === undefined ? [] : [found.view];
  }

  async readLedger(runId: string): Promise<RunLedger> {
    return { runId, wallMs: 0, asOf: 0, parts: [], criticalPath: [], truncated: false };
  }

  async readUsage(runId: string): Promise<RunUsage> {
    return { runId, costUSD: 0, tokens: 0 };
  }

  async compareRuns(runId: string, otherRunId: string): Promise<RunComparison> {
    return { runId, otherRunId, compared: 0, differing: 0 };
  }

  async readReport(): Promise<Report> {
    return { verdict: 'ok', summary: 'Everything works.', at: 0, findings: [] };
  }

  async readLogIndex(): Promise<LogIndex> {
    return { steps: [] };
  }

  async readStepLogs(): Promise<StepLogs> {
    return { lines: [], next: -1, dropped: 0 };
  }

  async now(): Promise<number> {
    return Date.now();
  }

  async readChanges(): Promise<RunsFrame> {
    return { changes: [], overflow: false };
  }

  async listErrorGroups(): Promise<{ errors: ErrorGroup[] }> {
    return { errors: [] };
  }

  async decideErrorGroup(fingerprint: string): Promise<ErrorGroup> {
    throw new FlotillaError('ERROR_GROUP_NOT_FOUND', `there is no error group ${fingerprint}`);
  }
}
