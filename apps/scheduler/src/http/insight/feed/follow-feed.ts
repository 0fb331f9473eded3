import { setTimeout as pause } from 'node:timers/promises';
import {
  type ErrorsFrame,
  type EventTopic,
  isFlotillaError,
  isTerminalRunStatus,
  type ReportFrame,
  type RunsFrame,
} from '@flotilla/contracts';
import { hidePayloads } from '../../guards/hide-payloads.ts';
import type { HttpContext } from '../../http-context.ts';
import { type FeedPosition, formatPosition } from './feed-position.ts';
import type { SharedReads } from './shared-reads.ts';

export interface FeedWish {
  topics: ReadonlySet<EventTopic>;
  /** Runs whose history is sent. */
  follow: readonly string[];
  workflow: string | undefined;
  tag: string | undefined;
  /** False: the caller's key may not see payloads. */
  showsPayloads: boolean;
}

/** At most four frames a second of a kind. */
const TICK_MS = 250;
/** What is summed up is looked at less often. */
const SUMMARY_MS = 1000;
const HEARTBEAT_MS = 15_000;
const MAX_CHANGES = 500;
const HISTORY_PAGE = 200;
/** Changes are kept for two minutes: who comes back later has to read the lists again. */
const MAX_ABSENCE_MS = 110_000;
/** A stream whose reads keep failing ends, so that its reader turns to another scheduler. */
const MAX_FAILED_TURNS = 20;

type FeedReads = Pick<HttpContext, 'api' | 'insight'>;

/** The frames of one stream, as text. A frame is made when the reader takes it: a slow one gets fewer, never stale ones. */
export async function* followFeed(
  wish: FeedWish,
  start: FeedPosition | undefined,
  reads: FeedReads & { shared: SharedReads },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const feed = new FeedReader(wish, reads);
  yield ': open\n\n';
  let failed = 0;
  let sentAt = performance.now();
  while (!signal.aborted && failed < MAX_FAILED_TURNS) {
    try {
      const text = await feed.turn(start);
      failed = 0;
      if (text !== '') yield text;
      if (text !== '') sentAt = performance.now();
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      failed += 1;
    }
    if (performance.now() - sentAt >= HEARTBEAT_MS) {
      yield ': \n\n';
      sentAt = performance.now();
    }
    await pause(TICK_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

class FeedReader {
  readonly #wish: FeedWish;
  readonly #reads: FeedReads & { shared: SharedReads };
  readonly #seqs = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #said = new Map<EventTopic, string>();
  #at: number | undefined;
  #summedUpAt = Number.NEGATIVE_INFINITY;
  #errorsAt = 0;

  constructor(wish: FeedWish, reads: FeedReads & { shared: SharedReads }) {
    this.#wish = wish;
    this.#reads = reads;
  }

  async turn(start: FeedPosition | undefined): Promise<string> {
    const now = await this.#reads.shared.read('now', TICK_MS / 2, () => this.#reads.insight.now());
    const isFirst = this.#at === undefined;
    const since = this.#at ?? start?.at ?? now;
    if (isFirst) {
      for (const runId of this.#wish.follow) this.#seqs.set(runId, start?.seqs.get(runId) ?? -1);
      this.#errorsAt = start?.at ?? now;
    }
    const frames: [event: string, data: object][] = [];
    if (this.#wish.topics.has('runs')) await this.#addRuns(frames, since, now);
    this.#at = Math.max(since, now);
    for (const runId of this.#wish.follow) await this.#addHistory(frames, runId);
    await this.#addSummaries(frames);
    const id = formatPosition({ at: this.#at, seqs: this.#seqs });
    const shown = this.#wish.showsPayloads ? (data: object) => data : hidePayloads;
    return frames
      .map(([event, data]) => `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(shown(data))}\n\n`)
      .join('');
  }

  async #addRuns(frames: [string, object][], since: number, until: number): Promise<void> {
    if (until <= since) return;
    if (until - since > MAX_ABSENCE_MS) {
      frames.push(['runs', { changes: [], overflow: true } satisfies RunsFrame]);
      return;
    }
    const { insight, shared } = this.#reads;
    const query = { since, until, limit: MAX_CHANGES };
    const { changes, overflow } = await shared.read(`${since}-${until}`, TICK_MS, () => insight.readChanges(query));
    const { workflow, tag } = this.#wish;
    const wanted = changes.filter(
      (change) =>
        (workflow === undefined || change.workflow === workflow) && (tag === undefined || change.tags.includes(tag)),
    );
    if (wanted.length > 0 || overflow) frames.push(['runs', { changes: wanted, overflow } satisfies RunsFrame]);
  }

  /** Whole and in order; a run that is gone has ended. */
  async #addHistory(frames: [string, object][], runId: string): Promise<void> {
    if (this.#ended.has(runId)) return;
    const { api } = this.#reads;
    const after = this.#seqs.get(runId) ?? -1;
    // The status first: a history read after it has everything up to that status.
    const run = await api.readRun(runId);
    const page =
      run === undefined ? undefined : await readOrGone(() => api.readHistory(runId, { after, limit: HISTORY_PAGE }));
    const events = page?.events ?? [];
    this.#seqs.set(runId, events.at(-1)?.seq ?? after);
    const isOver = run === undefined || page === undefined || isTerminalRunStatus(run.status);
    const ended = isOver && events.length < HISTORY_PAGE;
    if (ended) this.#ended.add(runId);
    if (events.length > 0 || ended) frames.push(['history', { runId, events, ended }]);
  }

  async #addSummaries(frames: [string, object][]): Promise<void> {
    if (performance.now() - this.#summedUpAt < SUMMARY_MS) return;
    this.#summedUpAt = performance.now();
    const { topics, workflow, tag } = this.#wish;
    const { insight, shared } = this.#reads;
    if (topics.has('counts')) {
      const read = () => insight.countRuns({ workflow, tag });
      this.#addChanged(frames, 'counts', await shared.read(`counts ${workflow} ${tag}`, SUMMARY_MS, read));
    }
    if (topics.has('errors')) {
      const { errors } = await shared.read('errors', SUMMARY_MS, () => insight.listErrorGroups({ limit: 50 }));
      const fresh = errors.filter(({ lastSeenAt }) => lastSeenAt >= this.#errorsAt);
      const told = fresh.map(({ fingerprint, state, count, lastSeenAt }) => ({
        fingerprint,
        state,
        count,
        lastSeenAt,
      }));
      if (told.length > 0) this.#addChanged(frames, 'errors', { errors: told } satisfies ErrorsFrame);
    }
    if (topics.has('report')) {
      const { verdict, summary, findings } = await shared.read('report', SUMMARY_MS * 2, () => insight.readReport());
      this.#addChanged(frames, 'report', { verdict, summary, findings: findings.length } satisfies ReportFrame);
    }
  }

  #addChanged(frames: [string, object][], topic: EventTopic, data: object): void {
    const text = JSON.stringify(data);
    if (this.#said.get(topic) === text) return;
    this.#said.set(topic, text);
    frames.push([topic, data]);
  }
}

/** Undefined when the run has been pruned since. */
async function readOrGone<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isFlotillaError(error) && error.code === 'RUN_NOT_FOUND') return undefined;
    throw error;
  }
}
