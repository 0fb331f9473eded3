import {
  type BulkDeadLettersDone,
  DEAD_LETTER_REASONS,
  type DeadLetterDetail,
  type DeadLetterFilter,
  type DeadLetterReason,
  type DeadLetterRedriven,
  type DeadLetterView,
  MAX_BULK_DEAD_LETTERS,
} from '@flotilla/contracts';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { EXIT } from '../exit-codes.ts';
import { formatMoment } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printRetryPlan } from '../print-retry-plan.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface FilterOptions extends RemoteOptions {
  workflow?: string;
  step?: string;
  use?: string;
  errorCode?: string;
  errorType?: string;
  reason?: DeadLetterReason;
  since?: number;
  until?: number;
}

interface ListOptions extends FilterOptions {
  cursor?: string;
  limit: number;
}

interface ActOptions extends FilterOptions {
  all?: boolean;
  dryRun?: boolean;
  limit?: number;
}

export function deadLettersCommand(terminal: Terminal, setExit: Action): Command {
  return (
    withFilter(withRemote(new Command('dead-letters')))
      // What stands behind `show`, `redrive` and `discard` is theirs.
      .enablePositionalOptions()
      .description('list permanently failed steps; show, redrive or discard them, one at a time or by filter')
      .option('--limit <count>', 'maximum number to list', wholeNumber(1, 500), 50)
      .option('--cursor <cursor>', 'continue where the previous list ended')
      .action((options: ListOptions) => list(terminal, options))
      .addCommand(showCommand(terminal))
      .addCommand(actCommand('redrive', terminal, setExit))
      .addCommand(actCommand('discard', terminal, setExit))
  );
}

function withFilter(command: Command): Command {
  return command
    .option('--workflow <name>', 'only of this workflow')
    .option('--step <step>', 'only of this step')
    .option('--use <handler>', 'only of this handler')
    .option('--error-code <code>', 'only with this error code')
    .option('--error-type <type>', 'only with this error type')
    .addOption(new Option('--reason <reason>', 'only with this reason').choices([...DEAD_LETTER_REASONS]))
    .option('--since <when>', 'dead since this time, or for this long (30m, 2h, 7d)', moment)
    .option('--until <when>', 'dead until this time, in the same format', moment);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds since 1970. */
function moment(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * UNIT_MS[unit!]!;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at) || at < 0) {
    throw new InvalidArgumentError('expected a time such as 2026-05-04T12:00:00Z, or how long ago: 30m, 2h, 7d');
  }
  return at;
}

function filterOf({
  workflow,
  step,
  use,
  errorCode,
  errorType,
  reason,
  since,
  until,
}: FilterOptions): DeadLetterFilter {
  const filter = { workflow, stepId: step, use, errorCode, errorType, reason, since, until };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

async function list(terminal: Terminal, options: ListOptions): Promise<void> {
  const { limit, cursor } = options;
  const filter = filterOf(options);
  const page = { ...filter, limit, ...(cursor === undefined ? {} : { cursor }) };
  const found = await connectScheduler(terminal, options).deadLetters(page);
  if (options.json) {
    printJson(terminal, found);
    return;
  }
  const { deadLetters } = found;
  if (deadLetters.length === 0) {
    const none = Object.keys(filter).length === 0 ? 'no dead letters' : 'no dead letter fits';
    printLine(terminal, found.cursor === undefined ? none : 'none so far');
  } else printTable(terminal, ['RUN', 'STEP', 'WORKFLOW', 'DEAD SINCE', 'TRIED', 'ERROR'], deadLetters.map(row));
  if (found.cursor !== undefined) printLine(terminal, `there are more: --cursor ${found.cursor}`);
}

function row({ runId, stepId, workflow, deadSince, attempts, crashes = 0, reason, error }: DeadLetterView): string[] {
  const tried = crashes === 0 ? String(attempts) : `${attempts} + ${crashes} lost`;
  const code = reason === 'quarantined' ? `quarantined: ${error.code}` : error.code;
  return [runId, stepId, workflow, formatMoment(deadSince), tried, code];
}

function showCommand(terminal: Terminal): Command {
  return withRemote(new Command('show'))
    .description('show what happened to a permanently failed step')
    .argument('<run>', 'id of the run, or run/step')
    .argument('[step]', 'id of the step')
    .action(async (run: string, step: string | undefined, options: RemoteOptions) => {
      const { runId, stepId } = parseDeadLetterId(run, step);
      const letter = await connectScheduler(terminal, options).deadLetter(runId, stepId);
      if (options.json) printJson(terminal, letter);
      else for (const line of linesOf(letter)) printLine(terminal, line);
    });
}

function linesOf(letter: DeadLetterDetail): string[] {
  const { runId, stepId, workflow, reason, use, attempts, crashes = 0, error, failedAt, run } = letter;
  const lines = [
    `${stepId} of run ${runId} (${workflow}) is ${reason}: ${error.code}: ${plainText(error.message)}`,
    `failed at ${formatMoment(failedAt)} after ${counted(attempts, 'failed attempt')} and ${counted(crashes, 'lost one')}`,
    `the run is ${run.status} since ${formatMoment(run.endedAt)}, opened ${letter.opening === 1 ? 'once' : `${letter.opening} times`}`,
  ];
  if (error.stack !== undefined) lines.push(...error.stack.split('\n').map((line) => `  ${plainText(line)}`));
  if (use !== undefined) lines.push(`handler: ${use}`);
  if (letter.lostWith !== undefined) lines.push(`lost with: ${letter.lostWith.join(', ')}`);
  if (run.input !== undefined) lines.push(`input of the run: ${brief(run.input)}`);
  if (letter.inputTemplate !== undefined) lines.push(`input of the step: ${brief(letter.inputTemplate)}`);
  for (const item of letter.failedItems ?? [])
    lines.push(`${item.stepId}: ${item.error.code}: ${plainText(item.error.message)}`);
  lines.push(
    '',
    ...letter.events.map(({ at, type, stepId: of, attempt, worker, data }) => {
      const parts = [
        formatMoment(at),
        type,
        of,
        attempt && `attempt ${attempt}`,
        worker,
        data?.['message'] ?? data?.['code'],
      ];
      return parts
        .filter((part) => part !== undefined && part !== '' && part !== 0)
        .map((part) => plainText(String(part)))
        .join('  ');
    }),
  );
  if (letter.eventsTruncated) lines.push(`… there is more: ${COMMAND} history ${runId}`);
  return lines;
}

const LONGEST_VALUE = 500;

function brief(value: unknown): string {
  const text = plainText(JSON.stringify(value));
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}… (--json shows all of it)`;
}

const DESCRIPTIONS = {
  redrive: 'let the run go on from a step that failed for good, or all that fit a filter, the oldest first',
  discard: 'take a step off the list, or all that fit a filter; the run stays as it ended',
};

function actCommand(what: 'redrive' | 'discard', terminal: Terminal, setExit: Action): Command {
  return withFilter(withRemote(new Command(what)))
    .description(DESCRIPTIONS[what])
    .argument('[run]', 'id of the run, or run/step')
    .argument('[step]', 'id of the step')
    .option('--all', 'every one; required when there is no other filter')
    .option('--limit <count>', 'maximum number to list (default: 100)', wholeNumber(1, MAX_BULK_DEAD_LETTERS))
    .option(
      '--dry-run',
      what === 'redrive' ? 'list what would be affected and what would be rerun' : 'list what would be affected',
    )
    .action(async (run: string | undefined, step: string | undefined, options: ActOptions) => {
      if (run === undefined) await actInBulk(what, terminal, options, setExit);
      else await actOnOne(what, terminal, options, parseDeadLetterId(run, step));
    });
}

async function actOnOne(
  what: 'redrive' | 'discard',
  terminal: Terminal,
  options: ActOptions,
  { runId, stepId }: { runId: string; stepId: string },
): Promise<void> {
  const { all, dryRun, limit } = options;
  const isOfMany = all !== undefined || limit !== undefined || (what === 'discard' && dryRun !== undefined);
  if (Object.keys(filterOf(options)).length > 0 || isOfMany) {
    throw new CliProblem('USAGE', `name a step, or give a filter: ${what} takes either`);
  }
  const client = connectScheduler(terminal, options);
  const call = { signal: terminal.signal };
  const done =
    what === 'redrive'
      ? await client.redriveDeadLetter(runId, stepId, { ...call, ...(dryRun === undefined ? {} : { dryRun }) })
      : await client.discardDeadLetter(runId, stepId, call);
  if (options.json) printJson(terminal, done);
  else if ('status' in done) printRedriven(terminal, done);
  else if (done.outcome === 'discarded') printLine(terminal, `${done.id} is off the list; the run stays as it ended`);
  else printLine(terminal, `${done.id} was not on the list (any more)`);
}

function printRedriven(terminal: Terminal, { id, runId, outcome, status, opening, plan }: DeadLetterRedriven): void {
  if (outcome === 'matched') {
    printLine(
      terminal,
      `${id} would be made again: the run is ${status}, and would be opened again (opening ${opening})`,
    );
    if (plan !== undefined) printRetryPlan(terminal, runId, plan);
    return;
  }
  if (outcome === 'redriven') printLine(terminal, `${id} is being rerun: the run is ${status}`);
  else printLine(terminal, `${id} had been redriven before: the run is ${status}`);
  if (plan !== undefined) printRetryPlan(terminal, runId, plan);
  printLine(terminal, `follow it with: ${COMMAND} show ${runId}`);
}

async function actInBulk(
  what: 'redrive' | 'discard',
  terminal: Terminal,
  options: ActOptions,
  setExit: Action,
): Promise<void> {
  const { all, dryRun, limit } = options;
  const filter = filterOf(options);
  if (Object.keys(filter).length === 0 && all !== true) {
    throw new CliProblem(
      'USAGE',
      `which ones? Name a run and a step, or give a filter such as --workflow or --error-code`,
      {
        hint: `${COMMAND} dead-letters lists them; ${COMMAND} dead-letters ${what} --all means every one`,
      },
    );
  }
  const request = {
    ...filter,
    ...(all === undefined ? {} : { all }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(limit === undefined ? {} : { limit }),
  };
  const client = connectScheduler(terminal, options);
  const call = { signal: terminal.signal };
  const done =
    what === 'redrive'
      ? await client.redriveDeadLetters(request, call)
      : await client.discardDeadLetters(request, call);
  if (options.json) printJson(terminal, done);
  else printDone(terminal, what, done);
  if ((done.counts.failed ?? 0) + (done.counts['not-tried'] ?? 0) > 0) setExit(EXIT.failed);
}

function printDone(
  terminal: Terminal,
  what: 'redrive' | 'discard',
  { items, counts, more, dryRun }: BulkDeadLettersDone,
): void {
  if (items.length === 0) {
    printLine(terminal, more ? 'none fit so far: ask again' : 'no dead letter fits');
    return;
  }
  const rows = items.map(({ runId, stepId, outcome, status, error }) => [
    runId,
    stepId,
    outcome,
    error === undefined ? (status ?? '') : `${error.code}: ${error.message}`,
  ]);
  printTable(terminal, ['RUN', 'STEP', 'OUTCOME', 'RUN IS'], rows);
  const told = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  printLine(
    terminal,
    dryRun ? `${items.length} would be ${what === 'redrive' ? 'redriven' : 'discarded'}` : told.join(', '),
  );
  printUndone(terminal, items);
  if (more) printLine(terminal, 'there may be more: the same command again takes the next ones');
}

/** Of runs that were compensated. */
function printUndone(terminal: Terminal, items: BulkDeadLettersDone['items']): void {
  const runs = new Map(items.flatMap(({ runId, again }) => (again === undefined ? [] : [[runId, again] as const])));
  if (runs.size === 0) return;
  const total = (name: 'newKeys' | 'failedCleanups') =>
    [...runs.values()].reduce((sum, counts) => sum + counts[name], 0);
  printLine(
    terminal,
    `${counted(runs.size, 'run')} had been compensated: ${counted(total('newKeys'), 'undone step')} of them run again, with new idempotency keys`,
  );
  if (total('failedCleanups') > 0) {
    printLine(terminal, `${counted(total('failedCleanups'), 'cleanup')} had failed: ${COMMAND} cleanups lists them`);
  }
}

/** Both words, or the id that lists show in `--json`. */
function parseDeadLetterId(run: string, step: string | undefined): { runId: string; stepId: string } {
  const slash = run.indexOf('/');
  if (step !== undefined) return { runId: run, stepId: step };
  if (slash > 0 && slash < run.length - 1) return { runId: run.slice(0, slash), stepId: run.slice(slash + 1) };
  throw new CliProblem('USAGE', `which step of run ${run}? Name it behind the run`, {
    hint: `${COMMAND} dead-letters lists them`,
  });
}
