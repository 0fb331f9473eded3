import type { Durability, RunStarted } from '@flotilla/contracts';
import { type FleetApi, mapInTurn } from '@flotilla/testing';

export interface ProbeOptions {
  api: FleetApi;
  /** What run ids begin with. */
  prefix: string;
  durability: Durability;
  everyMs: number;
}

export interface AcknowledgedProbe {
  runId: string;
  /** Wall clock. */
  sentAt: number;
  acknowledgedAt: number;
}

/** What became of submissions around a moment. */
export interface Loss {
  acknowledged: number;
  /** Acknowledged, and there is no such run. */
  lost: readonly AcknowledgedProbe[];
  /** From the moment to the last acknowledgement of a lost one; 0 when none is lost. */
  windowMs: number;
}

const REQUEST_MS = 5000;
const MOST_UNDER_WAY = 20;
const DEFINITION = { flotilla: 1, name: 'probe', steps: { a: { kind: 'task', use: 'flotilla.echo' } } };

/** Submits a tiny run again and again, each once, and keeps what was acknowledged and when. */
export class SubmissionProbe {
  readonly acknowledged: AcknowledgedProbe[] = [];
  /** Answers that were no acknowledgement -> how often. */
  readonly refusals = new Map<string, number>();
  readonly #options: ProbeOptions;
  readonly #underWay = new Set<Promise<void>>();
  #submitted = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#submit(), this.#options.everyMs);
  }

  /** Resolves when every submission has been answered or given up. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  /** Which of the acknowledged runs are not there. Ask when whoever lost them has done so. */
  async findLoss(at: number): Promise<Loss> {
    const { api } = this.#options;
    const isThere = await mapInTurn(this.acknowledged, 8, async ({ runId }) => {
      const { status } = await api.request('GET', `/v1/runs/${runId}`);
      return status === 200;
    });
    const lost = this.acknowledged.filter((_, index) => !isThere[index]);
    const windowMs = Math.max(0, ...lost.map(({ acknowledgedAt }) => acknowledgedAt - at));
    return { acknowledged: this.acknowledged.length, lost, windowMs };
  }

  #submit(): void {
    if (this.#underWay.size >= MOST_UNDER_WAY) return;
    const runId = `${this.#options.prefix}-${this.#submitted}`;
    this.#submitted += 1;
    const submitting = this.#submitOnce(runId);
    this.#underWay.add(submitting);
    void submitting.finally(() => this.#underWay.delete(submitting));
  }

  async #submitOnce(runId: string): Promise<void> {
    const { api, durability } = this.#options;
    const sentAt = Date.now();
    const body = { definition: DEFINITION, runId, durability };
    const outcome = await api
      .request<RunStarted & { code?: string }>('POST', '/v1/runs', body, { repeat: false, timeoutMs: REQUEST_MS })
      .then(
        ({ status, body: answer }) => (status === 201 && answer.durability === durability ? 'ok' : `${answer.code}`),
        () => 'no answer',
      );
    if (outcome === 'ok') this.acknowledged.push({ runId, sentAt, acknowledgedAt: Date.now() });
    else this.refusals.set(outcome, (this.refusals.get(outcome) ?? 0) + 1);
  }
}
