import type { FlotillaClient } from '@flotilla/client';
import type { HistoryEvent, RunView } from '@flotilla/contracts';
import type { Terminal } from '../terminal.ts';
import { LiveLines } from './live-lines.ts';
import { itemsLine, renderProgress, settledLine } from './render-progress.ts';
import { RunProgress } from './run-progress.ts';

/** The longest that one timer can measure, about 24 days: a run is waited for until it ends or the user has enough. */
export const WAIT_AS_LONG_AS_IT_TAKES_MS = 2_000_000_000;
const REDRAW_MS = 100;
/** Above this many steps, plain lines would be a flood: then only a line a second says where the run is. */
const MOST_LINES = 200;
const SUMMARY_MS = 1000;

export interface WatchOptions {
  /** Shown before the bar. */
  name: string;
  /** Steps of the workflow; undefined when only the scheduler can know. */
  totalSteps: number | undefined;
}

/** Follows a run to its end, with its progress on the terminal: drawn in place, or as plain lines where that is not one. */
export async function watchRun(
  client: FlotillaClient,
  runId: string,
  terminal: Terminal,
  { name, totalSteps }: WatchOptions,
): Promise<RunView> {
  const progress = new RunProgress(totalSteps);
  const show = terminal.interactive ? liveView(progress, terminal, name) : plainView(progress, terminal);
  try {
    return await client.wait(runId, {
      signal: terminal.signal,
      timeoutMs: WAIT_AS_LONG_AS_IT_TAKES_MS,
      onEvent: show.onEvent,
    });
  } catch (error) {
    // The client says that it was given up; the user wants to read by what.
    terminal.signal.throwIfAborted();
    throw error;
  } finally {
    show.end();
  }
}

interface View {
  onEvent(event: HistoryEvent): void;
  end(): void;
}

function liveView(progress: RunProgress, terminal: Terminal, name: string): View {
  const lines = new LiveLines(terminal);
  const startedMs = performance.now();
  const draw = () => lines.draw(renderProgress(progress, name, performance.now() - startedMs, terminal.columns() - 1));
  const timer = setInterval(draw, REDRAW_MS);
  draw();
  return {
    onEvent: (event) => void progress.apply(event),
    end: () => {
      clearInterval(timer);
      draw();
      lines.end();
    },
  };
}

function plainView(progress: RunProgress, terminal: Terminal): View {
  let saidMs = performance.now();
  const sayItems = ({ type, stepId = '' }: HistoryEvent) => {
    if (!type.startsWith('step-') || !stepId.endsWith(']') || performance.now() - saidMs < SUMMARY_MS) return;
    saidMs = performance.now();
    terminal.write(`${itemsLine(progress)}\n`);
  };
  const onEvent = (event: HistoryEvent) => {
    const settled = progress.apply(event);
    if (settled === undefined) return sayItems(event);
    const everyStep = (progress.totalSteps ?? 0) <= MOST_LINES || settled.status === 'failed';
    const due = performance.now() - saidMs >= SUMMARY_MS;
    if (!everyStep && !due) return;
    saidMs = performance.now();
    terminal.write(`${settledLine(settled, progress)}\n`);
  };
  return { onEvent, end: () => undefined };
}
