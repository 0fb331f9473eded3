import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { plainName, readImportFile } from '../import/read-import-file.ts';
import { importWfformat } from '../import/wfformat.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { positiveNumber, withCommon } from './common-options.ts';
import { type EmitOptions, emitDefinition } from './emit-definition.ts';

interface ImportOptions extends EmitOptions {
  timeScale: number;
}

export function importCommand(terminal: Terminal, _exit: Action): Command {
  const wfformat = withCommon(new Command('wfformat'))
    .description('a WfCommons task graph (WfFormat 1.4, 1.5) or an adjacency list { task: [children] }')
    .argument('<file>', 'JSON, plain or .gz')
    .option('--time-scale <factor>', 'scale of the recorded durations; 0 does not wait at all', positiveNumber, 1)
    .option('--out <file>', 'write to this file instead of stdout; .yaml and .yml give YAML')
    .action(async (file: string, options: ImportOptions) => {
      const document = await readImportFile(file, terminal.cwd);
      const { timeScale } = options;
      const { definition } = importWfformat(document, { timeScale, fallbackName: plainName(file) });
      const { compileWorkflow } = await import('@flotilla/engine');
      const compiled = compileWorkflow(definition);
      if (!compiled.ok) {
        throw new CliProblem('DEFINITION_INVALID', `${file} gives a workflow that cannot run`, {
          problems: compiled.problems,
        });
      }
      await emitDefinition(terminal, definition, options);
    });
  return new Command('import').description('turn a file of another system into a workflow').addCommand(wfformat);
}
