import { type Gate, isTerminalRunStatus, type Why } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatDuration } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface WhyCommandOptions extends RemoteOptions {
  limit: number;
}

export function whyCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('why'))
    .description('explain why a run or step is not running: every gate, since when, and until when')
    .argument('<run>', 'id of the run')
    .argument('[step]', 'only this step, or item of a map (`notify[3]`)')
    .option('--limit <count>', 'maximum number of gates to list', wholeNumber(1, 1000), 100)
    .action(async (runId: string, stepId: string | undefined, { limit, ...options }: WhyCommandOptions) => {
      const client = connectScheduler(terminal, options);
      const why = await client.why(runId, { limit, ...(stepId === undefined ? {} : { stepId }) });
      if (options.json) printJson(terminal, why);
      else for (const line of linesOf(why, stepId)) printLine(terminal, line);
    });
}

function linesOf(why: Why, stepId: string | undefined): string[] {
  const { status, gates, truncated } = why;
  if (gates.length === 0) {
    if (isTerminalRunStatus(status)) return [`nothing holds it: the run is ${status}`];
    return [stepId === undefined ? `nothing holds it: the run is ${status}` : `nothing holds ${plainText(stepId)}`];
  }
  const lines = gates.map((gate) => lineOf(gate, why.now));
  return truncated ? [...lines, '… and more: name a step, or ask for more with --limit'] : lines;
}

function lineOf({ stepId, gate, message, since, until }: Gate, now: number): string {
  const times = [`for ${formatDuration(Math.max(0, now - since))}`];
  if (until !== undefined && until > now) times.push(`${formatDuration(until - now)} left`);
  const subject = stepId === undefined ? 'the run' : stepId;
  return `${plainText(subject)}: ${plainText(message)} (${gate}, ${times.join(', ')})`;
}
