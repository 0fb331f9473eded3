import { FlotillaError, parseWorkflowReference, type WorkflowView } from '@flotilla/contracts';
import { Command } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { formatMoment } from '../format-time.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import { explainUnknownWorkflow } from '../suggest.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface ListOptions extends RemoteOptions {
  cursor?: string;
  limit: number;
}

export function workflowsCommand(terminal: Terminal, _exit: Action): Command {
  const workflows = withRemote(new Command('workflows'))
    .enablePositionalOptions()
    .description('list the registered workflows; delete them')
    .option('--limit <count>', 'approximate maximum number', wholeNumber(1, 500), 100)
    .option('--cursor <cursor>', 'continue where the previous list ended')
    .action((options: ListOptions) => list(terminal, options));
  workflows.addCommand(
    withRemote(new Command('delete').argument('<workflow>', 'NAME for all of its versions, or NAME@VERSION'))
      .description('delete a workflow; its runs continue, and no new run can be started by its name')
      .action((workflow: string, options: RemoteOptions) => remove(terminal, workflow, options)),
  );
  return workflows;
}

async function list(terminal: Terminal, { limit, cursor, ...options }: ListOptions): Promise<void> {
  const page = await connectScheduler(terminal, options).workflows({
    limit,
    ...(cursor === undefined ? {} : { cursor }),
  });
  if (options.json) {
    printJson(terminal, page);
    return;
  }
  if (page.workflows.length === 0) printLine(terminal, `no workflows: register one with ${COMMAND} register FILE`);
  else printTable(terminal, ['WORKFLOW', 'VERSION', 'REGISTERED', 'DEFINITION'], page.workflows.map(row));
  if (page.cursor !== undefined) printLine(terminal, `there are more: --cursor ${page.cursor}`);
}

function row({ name, version = '-', registeredAt, definitionHash }: WorkflowView): string[] {
  return [name, version, formatMoment(registeredAt), definitionHash.slice(0, 12)];
}

async function remove(terminal: Terminal, workflow: string, options: RemoteOptions): Promise<void> {
  const client = connectScheduler(terminal, options);
  const { name, version } = parseWorkflowReference(workflow);
  const answer = await client.deleteWorkflow(name, version === undefined ? {} : { version });
  if (answer.deleted === 0) {
    const missing = new FlotillaError('WORKFLOW_NOT_FOUND', `there is no workflow ${workflow}`);
    throw await explainUnknownWorkflow(missing, name, client);
  }
  if (options.json) printJson(terminal, answer);
  else printLine(terminal, plainText(`${workflow} deleted (${counted(answer.deleted, 'version')}); its runs go on`));
}
