import { isTerminalRunStatus, RUN_STATUSES, type RunStatus, type RunView } from '@flotilla/contracts';
import { Command, Option } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatDuration, formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface PsOptions extends RemoteOptions {
  workflow?: string;
  status?: RunStatus;
  tag?: string;
  waiting?: string;
  error?: string;
  id?: string;
  cursor?: string;
  limit: number;
}

export function psCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('ps'))
    .description('list runs, the newest first')
    .option('--workflow <name>', 'only of this workflow')
    .addOption(new Option('--status <status>', 'only runs in this status').choices([...RUN_STATUSES]))
    .option('--tag <tag>', 'only runs with this tag')
    .option('--waiting <reason>', 'only runs waiting for this: `queued`, `breaker:payments`')
    .option('--error <fingerprint>', 'only runs with an error of this group')
    .option('--id <id>', 'find a run by any id: run id, attempt id or idempotency key')
    .option('--limit <count>', 'maximum number to list', wholeNumber(1, 500), 20)
    .option('--cursor <cursor>', 'continue where the previous list ended')
    .action(async (options: PsOptions) => {
      const { workflow, status, tag, waiting, error, id, cursor, limit } = options;
      const list = await connectScheduler(terminal, options).list({
        limit,
        ...(workflow === undefined ? {} : { workflow }),
        ...(status === undefined ? {} : { status }),
        ...(tag === undefined ? {} : { tag }),
        ...(waiting === undefined ? {} : { waiting }),
        ...(error === undefined ? {} : { error }),
        ...(id === undefined ? {} : { id }),
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (options.json) {
        printJson(terminal, list);
        return;
      }
      if (list.runs.length === 0) printLine(terminal, 'no runs');
      else printTable(terminal, ['RUN', 'WORKFLOW', 'STATUS', 'STARTED', 'TOOK', 'WAITS FOR'], list.runs.map(row));
      if (list.cursor !== undefined) printLine(terminal, `there are more: --cursor ${list.cursor}`);
    });
}

function row({ runId, workflow, version, status, createdAt, endedAt, waiting = [] }: RunView): string[] {
  const took = endedAt !== undefined ? formatDuration(endedAt - createdAt) : isTerminalRunStatus(status) ? '-' : '…';
  const name = version === undefined ? workflow : `${workflow}@${version}`;
  const waits = waiting.map(({ reason, subject }) => (subject === undefined ? reason : `${reason}:${subject}`));
  return [runId, name, status, formatMoment(createdAt), took, waits.join(' ')];
}
