import type { WorkflowDefinition } from '@flotilla/contracts';
import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { loadWorkflow } from '../documents/load-workflow.ts';
import type { Action } from '../program.ts';
import { problemLines } from '../report-error.ts';
import type { Terminal } from '../terminal.ts';
import { withCommon } from './common-options.ts';
import { type EmitOptions, emitDefinition } from './emit-definition.ts';

export function migrateCommand(terminal: Terminal, _exit: Action): Command {
  return withCommon(new Command('migrate'))
    .description('convert a legacy document into a workflow definition')
    .argument('<file>', 'the legacy document: YAML or JSON')
    .option('--out <file>', 'write to this file instead of stdout; .yaml and .yml give YAML')
    .action(async (file: string, options: EmitOptions) => {
      const definition = await migrate(await loadWorkflow(file, terminal.cwd), file, terminal);
      await emitDefinition(terminal, definition, options);
    });
}

async function migrate(document: unknown, file: string, terminal: Terminal): Promise<WorkflowDefinition> {
  const { isLegacyDocument, migrateLegacy } = await import('@flotilla/engine');
  if (!isLegacyDocument(document as never)) {
    throw new CliProblem('DEFINITION_INVALID', `${file} is not a legacy document`, {
      hint: 'a legacy document has id, entry and steps; a definition with `flotilla: 1` needs no migration',
    });
  }
  const migration = migrateLegacy(document as never);
  if (!migration.ok) {
    throw new CliProblem('DEFINITION_INVALID', `${file} cannot be migrated`, { problems: migration.problems });
  }
  for (const line of problemLines(migration.warnings)) terminal.writeError(`flotilla: ${line}\n`);
  return migration.definition;
}
