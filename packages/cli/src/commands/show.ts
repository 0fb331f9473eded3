import type { FlotillaClient } from '@flotilla/client';
import { isFlotillaError, type RunView, type StepView } from '@flotilla/contracts';
import { Command } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { formatDuration, formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { anyWaitsForWorker, type WaitContext, whyStep } from '../why-step.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';
import { printOutcome } from './run.ts';

/** Rows for people, unless they ask for all. */
const MOST_ROWS = 200;
const AGENTS_WITHIN_MS = 3000;
/** What somebody looks for in a run of thousands of steps. */
const FIRST_SHOWN: readonly StepView['status'][] = [
  'failed',
  'quarantined',
  'parked',
  'backing-off',
  'running',
  'ready',
];

interface ShowOptions extends RemoteOptions {
  all?: boolean;
}

export function showCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('show'))
    .description('show a run and its steps')
    .argument('<run>', 'id of the run')
    .option('--all', `every step, however many: without it the ${MOST_ROWS} that matter most`)
    .action(async (runId: string, options: ShowOptions) => {
      const client = connectScheduler(terminal, options);
      const run = await client.get(runId);
      const steps: StepView[] = [];
      for await (const step of client.allSteps(runId)) steps.push(step);
      if (options.json) printJson(terminal, { run, steps });
      else tell(terminal, await surroundingsOf(client, run, steps), options.all === true ? steps.length : MOST_ROWS);
    });
}

/** The agents are asked for when a step waits for one of them; without an answer the rest is shown all the same. */
async function surroundingsOf(client: FlotillaClient, run: RunView, all: readonly StepView[]): Promise<WaitContext> {
  const steps = new Map(all.map((step) => [step.stepId, step]));
  if (!anyWaitsForWorker({ run, steps })) return { run, steps, agents: undefined };
  try {
    return { run, steps, agents: await client.agents({ deadlineMs: AGENTS_WITHIN_MS }) };
  } catch (error) {
    if (isFlotillaError(error)) return { run, steps, agents: undefined };
    throw error;
  }
}

function tell(terminal: Terminal, surroundings: WaitContext, mostRows: number): void {
  const { run } = surroundings;
  const steps = [...surroundings.steps.values()];
  const workflow = run.version === undefined ? run.workflow : `${run.workflow}@${run.version}`;
  printLine(
    terminal,
    `${workflow}, started ${formatMoment(run.createdAt)}${run.tags.map((tag) => ` #${tag}`).join('')}`,
  );
  printOutcome(terminal, run);
  for (const line of cleanupLines(run)) printLine(terminal, line);
  printLine(terminal);
  if (steps.length > mostRows) printLine(terminal, `${counted(steps.length, 'step')}: ${tally(steps)}`);
  const rows = whatMatters(steps, mostRows).map((step) => row(step, surroundings));
  printTable(terminal, ['STEP', 'KIND', 'STATUS', 'ATTEMPTS', 'TOOK', 'WHY'], rows);
  if (steps.length > mostRows) printLine(terminal, `${steps.length - mostRows} more; --all shows every step`);
}

/** How many there are of each status. */
function tally(steps: readonly StepView[]): string {
  const byStatus = Map.groupBy(steps, ({ status }) => status);
  return Array.from(byStatus, ([status, of]) => `${of.length} ${status}`).join(', ');
}

/** In their order; when there are too many, those that failed or are under way come before the others. */
function whatMatters(steps: readonly StepView[], mostRows: number): StepView[] {
  if (steps.length <= mostRows) return [...steps];
  const rank = ({ status }: StepView) => {
    const place = FIRST_SHOWN.indexOf(status);
    return place < 0 ? FIRST_SHOWN.length : place;
  };
  return steps.toSorted((one, other) => rank(one) - rank(other)).slice(0, mostRows);
}

/** What could not be undone must not be overlooked: no step says so. */
function cleanupLines({ runId, cleanups }: RunView): string[] {
  if (cleanups === undefined) return [];
  const { registered, left, failed } = cleanups;
  const of = `of ${counted(registered, 'cleanup')}`;
  return [
    ...(failed > 0 ? [`${failed} ${of} FAILED: ${COMMAND} history ${runId} says why`] : []),
    ...(left > 0 ? [`${left} ${of} still to run`] : []),
  ];
}

function row(step: StepView, surroundings: WaitContext): string[] {
  const { stepId, kind, turnOf, status, attempts, lost, startedAt, endedAt } = step;
  const took = startedAt !== undefined && endedAt !== undefined ? formatDuration(endedAt - startedAt) : '';
  const made = lost === undefined || lost === 0 ? String(attempts) : `${attempts} (${lost} lost)`;
  const what = turnOf === undefined ? kind : `${kind}: ${turnOf}`;
  return [stepId, what, status, made, took, whyStep(step, surroundings)];
}
