import type { FailedCleanups } from '@flotilla/contracts';
import { Command, InvalidArgumentError } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { formatMoment } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface ListOptions extends RemoteOptions {
  cursor?: string;
  limit: number;
}

export function cleanupsCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('cleanups'))
    .enablePositionalOptions()
    .description('list ended runs with permanently failed compensations or cleanups; retry one of them')
    .option('--limit <count>', 'maximum number of runs to list', wholeNumber(1, 500), 50)
    .option('--cursor <cursor>', 'continue where the previous list ended')
    .action((options: ListOptions) => list(terminal, options))
    .addCommand(retryOne(terminal));
}

async function list(terminal: Terminal, options: ListOptions): Promise<void> {
  const { limit, cursor } = options;
  const page = { limit, ...(cursor === undefined ? {} : { cursor }), signal: terminal.signal };
  const found = await connectScheduler(terminal, options).failedCleanups(page);
  if (options.json) {
    printJson(terminal, found);
    return;
  }
  if (found.runs.length === 0) printLine(terminal, 'no cleanup has failed');
  else printTable(terminal, ['RUN', 'NUMBER', 'STEP', 'HANDLER', 'RUN ENDED', 'ERROR'], found.runs.flatMap(rowsOf));
  for (const { runId, failed, left, cleanups } of found.runs) {
    const more = failed + left - cleanups.length;
    if (more > 0) printLine(terminal, `${counted(more, 'more cleanup')} of ${runId}`);
  }
  if (found.cursor !== undefined) printLine(terminal, `there are more: --cursor ${found.cursor}`);
}

function rowsOf({ runId, endedAt, cleanups }: FailedCleanups): string[][] {
  return cleanups.map(({ number, stepId, use, status, error }) => {
    const what = status === 'failed' && error !== undefined ? `${error.code}: ${plainText(error.message)}` : status;
    return [runId, String(number), stepId, use, formatMoment(endedAt), what];
  });
}

function retryOne(terminal: Terminal): Command {
  return withRemote(new Command('retry'))
    .description('retry a permanently failed compensation or cleanup; the run itself stays ended')
    .argument('<run>', 'id of the run')
    .argument('<number>', 'number of the cleanup', cleanupNumber)
    .action(async (runId: string, number: number, options: RemoteOptions) => {
      const done = await connectScheduler(terminal, options).retryCleanup(runId, number, { signal: terminal.signal });
      if (options.json) printJson(terminal, done);
      else if (done.alreadyRetried) printLine(terminal, `cleanup ${number} of ${runId} was already being retried`);
      else printLine(terminal, `cleanup ${number} of ${runId} is being retried; the run itself stays ended`);
      if (!options.json) printLine(terminal, `follow it with: ${COMMAND} history ${runId}`);
    });
}

function cleanupNumber(text: string): number {
  if (!/^\d{1,7}$/.test(text))
    throw new InvalidArgumentError(`expected a number from 0: ${COMMAND} cleanups lists them`);
  return Number(text);
}
