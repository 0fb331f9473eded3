import type { Problem } from '@flotilla/contracts';
import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { loadWorkflow } from '../documents/load-workflow.ts';
import { withLines } from '../documents/problem-lines-of-file.ts';
import { EXIT } from '../exit-codes.ts';
import { missingHandlers } from '../missing-handlers.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import { problemLines } from '../report-error.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface ValidateOptions extends RemoteOptions {
  strict?: boolean;
}

export function validateCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('validate'))
    .description('check a workflow and report all its problems at once')
    .argument('<file>', 'YAML, JSON, or a TypeScript or JavaScript module')
    .option('--strict', 'also ask the scheduler, and refuse handlers and capabilities that no worker has now')
    .action(async (file: string, options: ValidateOptions) => {
      const problems = await findProblems(file, options, terminal);
      const ok = problems.every(({ severity }) => severity === 'warning');
      if (options.json) printJson(terminal, { ok, problems });
      else tell(terminal, file, ok, problems);
      exit(ok ? EXIT.ok : EXIT.usage);
    });
}

/** What is wrong with the file itself is a problem like those of its content. */
async function findProblems(file: string, options: ValidateOptions, terminal: Terminal): Promise<readonly Problem[]> {
  let document: unknown;
  try {
    document = await loadWorkflow(file, terminal.cwd);
  } catch (error) {
    if (!(error instanceof CliProblem)) throw error;
    const { code, message, problems } = error;
    return problems.length > 0 ? problems : [{ code, path: '', message }];
  }
  const { compileWorkflow } = await import('@flotilla/engine');
  const compiled = compileWorkflow(document);
  if (!compiled.ok) return withLines(compiled.problems, file, terminal.cwd);
  const { compileSchema } = await import('@flotilla/input-schema');
  const { input } = compiled.plan.definition;
  const inSchema = input === undefined ? [] : compileSchema(input).problems;
  if (inSchema.length > 0) return withLines(inSchema, file, terminal.cwd);
  const warnings = await withLines(compiled.warnings, file, terminal.cwd);
  if (options.strict !== true) return warnings;
  const agents = await connectScheduler(terminal, options).agents();
  return [...warnings, ...(await withLines(missingHandlers(compiled.plan, agents), file, terminal.cwd))];
}

function tell(terminal: Terminal, file: string, ok: boolean, problems: readonly Problem[]): void {
  for (const line of problemLines(problems)) printLine(terminal, line);
  const errors = problems.filter(({ severity }) => severity !== 'warning').length;
  printLine(terminal, ok ? `${file} is a valid workflow` : `${file} has ${errors} problem${errors === 1 ? '' : 's'}`);
}
