import type { FlotillaClient } from '@flotilla/client';
import type { HistoryEvent, RunView } from '@flotilla/contracts';
import { COMMAND } from '../command-name.ts';
import { eventLine } from '../commands/history.ts';
import { printOutcome } from '../commands/run.ts';
import { formatDuration } from '../format-time.ts';
import { readImportFile } from '../import/read-import-file.ts';
import { importWfformat } from '../import/wfformat.ts';
import { printLine } from '../print-table.ts';
import { watchRun } from '../progress/watch-run.ts';
import type { Terminal } from '../terminal.ts';
import { montageFile } from './program-files.ts';

/** 21 s lie on the critical path of the recorded workflow: with this it takes about 6. */
const TIME_SCALE = 0.28;
const EXCERPT_EDGE = 4;

/** Replays a real scientific workflow with its progress on the terminal, then shows how it ended and some of its history. */
export async function runDemo(client: FlotillaClient, terminal: Terminal): Promise<RunView> {
  const document = await readImportFile(montageFile, terminal.cwd);
  const { definition, tasks, edges } = importWfformat(document, { timeScale: TIME_SCALE, fallbackName: 'montage' });
  printLine(terminal, `Running Montage, a picture of the sky made of many: ${tasks} tasks, ${edges} edges,`);
  printLine(terminal, `recorded on a real cluster, replayed ${(1 / TIME_SCALE).toFixed(1)} times as fast.`);
  printLine(terminal);
  const { runId } = await client.start(definition, undefined, { tags: ['demo'] });
  const run = await watchRun(client, runId, terminal, { name: definition.name, totalSteps: tasks });
  printLine(terminal);
  printOutcome(terminal, run);
  await printWork(client, run, terminal);
  printLine(terminal);
  await printExcerpt(client, runId, terminal);
  return run;
}

/** What the run has achieved: the steps' own outputs, added up. */
async function printWork(client: FlotillaClient, run: RunView, terminal: Terminal): Promise<void> {
  const workers = new Set<string>();
  let steps = 0;
  let workMs = 0;
  for await (const { output, worker } of client.allSteps(run.runId)) {
    const { sleptMs } = (output ?? {}) as { sleptMs?: number };
    if (sleptMs === undefined) continue;
    steps += 1;
    workMs += sleptMs;
    if (worker !== undefined) workers.add(worker);
  }
  const on = workers.size === 0 ? '' : ` on ${workers.size} worker${workers.size === 1 ? '' : 's'}`;
  printLine(terminal, `${steps} steps${on}: ${formatDuration(workMs)} of work, side by side`);
}

async function printExcerpt(client: FlotillaClient, runId: string, terminal: Terminal): Promise<void> {
  const events: HistoryEvent[] = [];
  for await (const event of client.allHistory(runId)) events.push(event);
  const [first] = events;
  if (first === undefined) return;
  printLine(terminal, `Its history has ${events.length} events:`);
  const hidden = Math.max(0, events.length - 2 * EXCERPT_EDGE);
  for (const event of events.slice(0, EXCERPT_EDGE)) printLine(terminal, eventLine(event, first));
  if (hidden > 0) printLine(terminal, `      … ${hidden} more: ${COMMAND} history ${runId}`);
  for (const event of events.slice(EXCERPT_EDGE).slice(-EXCERPT_EDGE)) printLine(terminal, eventLine(event, first));
}
