import type { Finding, Report } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { EXIT } from '../exit-codes.ts';
import { formatDuration } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function reportCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('report'))
    .description('say whether the fleet is healthy, and if not, what is wrong and what to do next')
    .action(async (options: RemoteOptions) => {
      const report = await connectScheduler(terminal, options).report();
      if (options.json) printJson(terminal, report);
      else for (const line of linesOf(report)) printLine(terminal, line);
      if (report.verdict !== 'ok') exit(EXIT.failed);
    });
}

function linesOf({ verdict, summary, findings, at }: Report): string[] {
  if (findings.length === 0) return [`${verdict}: ${plainText(summary)}`];
  return [verdict, ...findings.flatMap((finding) => linesOfFinding(finding, at))];
}

function linesOfFinding({ severity, code, message, next, since, filter }: Finding, at: number): string[] {
  const age = since === undefined ? '' : ` (for ${formatDuration(Math.max(0, at - since))})`;
  const shown = filter === undefined ? [] : [`    its runs: GET /v1/runs?${plainText(filter)}`];
  return ['', `  ${severity} ${code}: ${plainText(message)}${age}`, `    next: ${plainText(next)}`, ...shown];
}
