import { setTimeout as pause } from 'node:timers/promises';
import type { FlotillaClient } from '@flotilla/client';
import { isTerminalRunStatus, type LogLine } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface LogsOptions extends RemoteOptions {
  follow?: boolean;
  attempt?: number;
}

const POLL_MS = 500;
const PAGE = 1000;

export function logsCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('logs'))
    .description('print what the handlers of a run have logged')
    .argument('<run>', 'id of the run')
    .argument('[step]', 'only this step, or item of a map (`notify[3]`)')
    .option('--attempt <number>', 'only this attempt', wholeNumber(1, 1_000_000))
    .option('--follow', 'keep printing until the run has ended')
    .action(async (runId: string, stepId: string | undefined, options: LogsOptions) => {
      const reader = new LogReader(connectScheduler(terminal, options), runId, stepId, options.attempt);
      const all: LogLine[] = [];
      for (;;) {
        // The status first: lines that are read after it are all that there will be.
        const isOver = options.follow !== true || isTerminalRunStatus((await reader.readRun()).status);
        const { lines, notes } = await reader.next();
        if (options.json) all.push(...lines);
        else for (const text of [...notes, ...lines.map(textOf)]) printLine(terminal, text);
        if (isOver) break;
        await pause(POLL_MS, undefined, { signal: terminal.signal });
      }
      if (options.json) printJson(terminal, { lines: all });
    });
}

/** Reads the lines of a run that have come since it was asked last, in the order of their times. */
class LogReader {
  readonly #client: FlotillaClient;
  readonly #runId: string;
  readonly #stepId: string | undefined;
  readonly #attempt: number | undefined;
  readonly #after = new Map<string, number>();
  readonly #dropped = new Map<string, number>();

  constructor(client: FlotillaClient, runId: string, stepId: string | undefined, attempt: number | undefined) {
    this.#client = client;
    this.#runId = runId;
    this.#stepId = stepId;
    this.#attempt = attempt;
  }

  readRun() {
    return this.#client.get(this.#runId);
  }

  async next(): Promise<{ lines: LogLine[]; notes: string[] }> {
    const { steps } = this.#stepId === undefined ? await this.#client.logIndex(this.#runId) : { steps: [] };
    const named = this.#stepId === undefined ? steps.map(({ stepId }) => stepId) : [this.#stepId];
    const lines: LogLine[] = [];
    const notes: string[] = [];
    for (const stepId of named) {
      const dropped = await this.#readStep(stepId, lines);
      if (dropped > (this.#dropped.get(stepId) ?? 0))
        notes.push(`… ${plainText(stepId)}: ${dropped} lines are not kept`);
      this.#dropped.set(stepId, dropped);
    }
    return { lines: lines.sort((a, b) => a.at - b.at), notes };
  }

  async #readStep(stepId: string, lines: LogLine[]): Promise<number> {
    for (;;) {
      const after = this.#after.get(stepId) ?? -1;
      const attempt = this.#attempt === undefined ? {} : { attempt: this.#attempt };
      const page = await this.#client.stepLogs(this.#runId, stepId, { after, limit: PAGE, ...attempt });
      lines.push(...page.lines);
      this.#after.set(stepId, page.next);
      if (page.next - after < PAGE) return page.dropped;
    }
  }
}

function textOf({ at, stepId, attempt, level, message, fields, cut }: LogLine): string {
  const time = new Date(at).toISOString().slice(11, 23);
  const details = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
  return `${time} ${level.padEnd(5)} ${plainText(stepId)}#${attempt} ${plainText(message + details)}${cut ? ' … (cut)' : ''}`;
}
