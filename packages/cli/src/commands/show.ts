import type { FlotillaClient } from '@flotilla/client';
import type { RunView, StepView } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatDuration, formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';
import { printOutcome } from './run.ts';

/** Rows for people; `--json` has all. */
const MOST_ROWS = 200;

export function showCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('show'))
    .description('show a run and its steps')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const client = connectScheduler(terminal, options);
      const run = await client.get(runId);
      const steps = await firstSteps(client, runId, options.json ? Number.POSITIVE_INFINITY : MOST_ROWS + 1);
      if (options.json) printJson(terminal, { run, steps });
      else tell(terminal, run, steps);
    });
}

async function firstSteps(client: FlotillaClient, runId: string, atMost: number): Promise<StepView[]> {
  const steps: StepView[] = [];
  for await (const step of client.allSteps(runId)) {
    steps.push(step);
    if (steps.length >= atMost) break;
  }
  return steps;
}

function tell(terminal: Terminal, run: RunView, steps: readonly StepView[]): void {
  const workflow = run.version === undefined ? run.workflow : `${run.workflow}@${run.version}`;
  printLine(
    terminal,
    `${workflow}, started ${formatMoment(run.createdAt)}${run.tags.map((tag) => ` #${tag}`).join('')}`,
  );
  printOutcome(terminal, run);
  printLine(terminal);
  printTable(terminal, ['STEP', 'KIND', 'STATUS', 'ATTEMPTS', 'TOOK', 'WHY'], steps.slice(0, MOST_ROWS).map(row));
  if (steps.length > MOST_ROWS) printLine(terminal, `only the first ${MOST_ROWS} steps are shown; --json has all`);
}

function row(step: StepView): string[] {
  const { stepId, kind, status, attempts, lost, startedAt, endedAt } = step;
  const took = startedAt !== undefined && endedAt !== undefined ? formatDuration(endedAt - startedAt) : '';
  const made = lost === undefined || lost === 0 ? String(attempts) : `${attempts} (${lost} lost)`;
  return [stepId, kind, status, made, took, whyOf(step)];
}

/** Why a step is where it is, and what it waits for when that is a worker. */
function whyOf({ status, error, reason, use, capability, queue }: StepView): string {
  if (error !== undefined) return `${error.code}: ${error.message}`;
  if (status === 'parked' && reason === 'no-handler' && use !== undefined) {
    const what = capability === undefined ? `the handler ${use}` : `an agent that can do ${capability}`;
    return `no-handler: waits for a worker on queue ${queue} that has ${what}`;
  }
  if (status === 'ready' && queue !== undefined) return `waits in queue ${queue}`;
  return reason ?? '';
}
