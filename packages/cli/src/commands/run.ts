import type { FlotillaClient, StartOptions, WorkflowReference } from '@flotilla/client';
import { type Durability, type Json, parseWorkflowReference, type RunView } from '@flotilla/contracts';
import { Command, Option } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { loadWorkflow, meansFile } from '../documents/load-workflow.ts';
import { withLines } from '../documents/problem-lines-of-file.ts';
import { readInput } from '../documents/read-input.ts';
import { EXIT } from '../exit-codes.ts';
import { formatDuration } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import { WAIT_AS_LONG_AS_IT_TAKES_MS, watchRun } from '../progress/watch-run.ts';
import { problemLines } from '../report-error.ts';
import { explainUnknownWorkflow } from '../suggest.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface RunOptions extends RemoteOptions {
  input?: string;
  wait?: boolean;
  watch?: boolean;
  idempotencyKey?: string;
  tag: string[];
  durability?: Durability;
}

export function runCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('run'))
    .description('start a run')
    .argument(
      '<workflow>',
      'a file, or the name of a workflow that the scheduler has, with @VERSION for one that is not the latest',
    )
    .option('--input <json>', 'JSON, or @file')
    .option('--wait', 'wait until the run has ended; exit code 1 when it did not succeed')
    .option('--watch', 'wait and show progress')
    .option('--idempotency-key <key>', 'repeating the same key and content returns the same run')
    .option('--tag <tag>', 'may be repeated', (tag: string, tags: string[]) => [...tags, tag], [] as string[])
    .addOption(
      new Option('--durability <level>', 'durability of the submission').choices(['fast', 'replicated', 'fsynced']),
    )
    .action(async (workflow: string, options: RunOptions) => {
      const { reference, name, totalSteps } = await referenceOf(workflow, terminal);
      const input = options.input === undefined ? undefined : await readInput(options.input, terminal.cwd);
      const client = connectScheduler(terminal, options);
      const started = await client.start(reference, input, startOptions(options)).catch(async (error: unknown) => {
        throw await explainUnknownWorkflow(error, workflow, client);
      });
      for (const line of problemLines(started.warnings ?? [])) terminal.writeError(`flotilla: warning: ${line}\n`);
      if (options.wait !== true && options.watch !== true) {
        if (options.json) printJson(terminal, started);
        else printLine(terminal, `${started.runId} ${started.deduplicated ? 'was started before' : 'started'}`);
        return;
      }
      const watched = options.watch === true && options.json !== true;
      if (watched) printLine(terminal, started.runId);
      const wait = watched
        ? watchRun(client, started.runId, terminal, { name, totalSteps: totalSteps ?? (await stepsOf(client, name)) })
        : client.wait(started.runId, { signal: terminal.signal, timeoutMs: WAIT_AS_LONG_AS_IT_TAKES_MS });
      const run = await sayThatItGoesOn(wait, started.runId, terminal);
      if (options.json) printJson(terminal, outcomeOf(run));
      else printOutcome(terminal, run);
      exit(run.status === 'succeeded' ? EXIT.ok : EXIT.failed);
    });
}

interface Reference {
  reference: WorkflowReference;
  name: string;
  /** Undefined of a workflow that only the scheduler has. */
  totalSteps: number | undefined;
}

/** How many steps a registered workflow has; undefined when the scheduler does not show it. */
async function stepsOf(client: FlotillaClient, reference: string): Promise<number | undefined> {
  const { name, version } = parseWorkflowReference(reference);
  const { definition } = await client.workflow(name, version === undefined ? {} : { version });
  const { steps } = (definition ?? {}) as { steps?: object };
  return steps === undefined ? undefined : Object.keys(steps).length;
}

/** The name of a registered workflow, or the content of a file. */
async function referenceOf(workflow: string, terminal: Terminal): Promise<Reference> {
  if (!meansFile(workflow, terminal.cwd)) return { reference: workflow, name: workflow, totalSteps: undefined };
  const document = await loadWorkflow(workflow, terminal.cwd);
  // Loaded by those who need it: most commands do not, and it is a third of their start.
  const { compileWorkflow } = await import('@flotilla/engine');
  // The scheduler would say the same; without it there is no need for one to learn of a typo.
  const compiled = compileWorkflow(document);
  if (!compiled.ok) {
    const problems = await withLines(compiled.problems, workflow, terminal.cwd);
    throw new CliProblem('DEFINITION_INVALID', `${workflow} has problems`, { problems });
  }
  const { definition, steps } = compiled.plan;
  return { reference: document, name: definition.name, totalSteps: steps.length };
}

function startOptions({ idempotencyKey, tag, durability }: RunOptions): StartOptions {
  return {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(tag.length === 0 ? {} : { tags: tag }),
    ...(durability === undefined ? {} : { durability }),
  };
}

/** A run goes on when nobody waits for it any more: say how to find it again. */
async function sayThatItGoesOn(wait: Promise<RunView>, runId: string, terminal: Terminal): Promise<RunView> {
  try {
    return await wait;
  } catch (error) {
    terminal.writeError(`flotilla: ${runId} keeps running in the background; see it with: ${COMMAND} show ${runId}\n`);
    terminal.signal.throwIfAborted();
    throw error;
  }
}

/** What `run --wait --json` prints. */
export function outcomeOf({ runId, status, output, error }: RunView): {
  runId: string;
  status: string;
  output?: Json;
  error?: NonNullable<RunView['error']>;
} {
  return {
    runId,
    status,
    ...(output === undefined ? {} : { output: output as Json }),
    ...(error === undefined ? {} : { error }),
  };
}

/** The end of a run for people: status, time, then its output or error. */
export function printOutcome(terminal: Terminal, run: RunView): void {
  const took = run.endedAt === undefined ? '' : ` after ${formatDuration(run.endedAt - run.createdAt)}`;
  printLine(terminal, `${run.runId} ${run.status}${took}`);
  if (run.error !== undefined) {
    const { stepId, code, message } = run.error;
    printLine(terminal, plainText(`${stepId === undefined ? '' : `step ${stepId}: `}${code}: ${message}`));
  }
  if (run.output !== undefined && run.output !== null) printJson(terminal, run.output);
}
