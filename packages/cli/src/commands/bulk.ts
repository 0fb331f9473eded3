import { BULK_ACTIONS, type BulkAction, type BulkView, RUN_STATUSES, type RunStatus } from '@flotilla/contracts';
import { Command, Option } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { EXIT } from '../exit-codes.ts';
import { formatMoment } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface ActOptions extends RemoteOptions {
  status?: RunStatus;
  workflow?: string;
  tag?: string;
  waiting?: string;
  error?: string;
  reason?: string;
  dryRun?: boolean;
  yes?: boolean;
}

export function bulkCommand(terminal: Terminal, setExit: Action): Command {
  const bulk = withRemote(new Command('bulk'))
    .enablePositionalOptions()
    .description('cancel, retry, redrive, pause or resume many runs at once, as a job; list and abort jobs')
    .action(async (options: RemoteOptions) => {
      const bulks = await connectScheduler(terminal, options).bulkJobs();
      if (options.json) printJson(terminal, { bulks });
      else if (bulks.length === 0) printLine(terminal, 'no bulk jobs');
      else printTable(terminal, ['JOB', 'ACTION', 'STATE', 'DONE', 'FAILED', 'OF', 'STARTED'], bulks.map(row));
    });
  for (const action of BULK_ACTIONS) bulk.addCommand(actCommand(action, terminal));
  return bulk.addCommand(statusCommand(terminal, setExit)).addCommand(abortCommand(terminal));
}

function row({ bulkId, action, state, done, failed, total, createdAt }: BulkView): string[] {
  return [bulkId, action, state, String(done), String(failed), String(total), formatMoment(createdAt)];
}

function actCommand(action: BulkAction, terminal: Terminal): Command {
  return withRemote(new Command(action))
    .description(`${action} the named runs, or all that fit a filter`)
    .argument('[runs...]', 'run ids, instead of a filter')
    .addOption(new Option('--status <status>', 'only runs in this status').choices([...RUN_STATUSES]))
    .option('--workflow <name>', 'only of this workflow')
    .option('--tag <tag>', 'only runs with this tag')
    .option('--waiting <reason>', 'only runs waiting for this: `queued`, `breaker:payments`')
    .option('--error <fingerprint>', 'only runs with an error of this group')
    .option('--reason <text>', 'recorded with the job and with each cancelled run')
    .option('--dry-run', 'only count')
    .option('--yes', 'do it; without this, runs are only counted')
    .action((runs: string[], options: ActOptions) => act(action, terminal, runs, options));
}

async function act(action: BulkAction, terminal: Terminal, ids: string[], options: ActOptions): Promise<void> {
  const { status, workflow, tag, waiting, error, reason, dryRun, yes } = options;
  const given = Object.entries({ status, workflow, tag, waiting, error }).filter(([, value]) => value !== undefined);
  if ((given.length === 0) === (ids.length === 0)) {
    throw new CliProblem(
      'USAGE',
      `which runs? Name them, or give a filter such as --workflow: ${action} takes either`,
      {
        hint: `${COMMAND} ps lists them`,
      },
    );
  }
  const which = ids.length > 0 ? { ids } : { filter: Object.fromEntries(given) };
  const request = { action, ...which, ...(reason === undefined ? {} : { reason }) };
  const client = connectScheduler(terminal, options);
  const onlyCounts = dryRun === true || yes !== true;
  const started = await client.startBulk({ ...request, dryRun: onlyCounts }, { signal: terminal.signal });
  if (onlyCounts && dryRun !== true) {
    throw new CliProblem(
      'CONFIRMATION_NEEDED',
      `${action} applies to ${counted(started.count, 'run')}; nothing was done`,
      {
        hint: 'the same command with --yes does it',
      },
    );
  }
  if (options.json) printJson(terminal, started);
  else if (dryRun === true) printLine(terminal, `${action} would apply to ${counted(started.count, 'run')}`);
  else if (started.bulkId === undefined) printLine(terminal, `there is no run to ${action}`);
  else {
    printLine(terminal, `${started.bulkId}: ${action} ${counted(started.count, 'run')}`);
    printLine(terminal, `follow it with: ${COMMAND} bulk status ${started.bulkId}`);
  }
}

function statusCommand(terminal: Terminal, setExit: Action): Command {
  return withRemote(new Command('status').argument('<job>', 'id of the job'))
    .description('show the progress of a bulk job and what failed; exit code 1 when something did')
    .action(async (bulkId: string, options: RemoteOptions) => {
      const client = connectScheduler(terminal, options);
      const job = await client.bulkJob(bulkId);
      if (job.failed > 0) setExit(EXIT.failed);
      if (options.json) {
        printJson(terminal, job);
        return;
      }
      printLine(terminal, summaryOf(job));
      if (job.failed === 0) return;
      let cursor: string | undefined;
      do {
        const page = await client.bulkItems(bulkId, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
        for (const { runId, error } of page.items) {
          if (error !== undefined) printLine(terminal, `  ${runId}: ${error.code}: ${plainText(error.message)}`);
        }
        cursor = page.cursor;
      } while (cursor !== undefined);
    });
}

function abortCommand(terminal: Terminal): Command {
  return withRemote(new Command('abort').argument('<job>', 'id of the job'))
    .description('abort a bulk job; runs it has not reached are left alone')
    .action(async (bulkId: string, options: RemoteOptions) => {
      const job = await connectScheduler(terminal, options).abortBulk(bulkId);
      if (options.json) printJson(terminal, job);
      else printLine(terminal, summaryOf(job));
    });
}

function summaryOf({ bulkId, action, state, done, failed, total }: BulkView): string {
  return `${bulkId} (${action}) is ${state}: ${done} of ${counted(total, 'run')} done, ${failed} failed`;
}
