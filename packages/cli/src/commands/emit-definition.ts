import type { WorkflowDefinition } from '@flotilla/contracts';
import { documentText, writeDocument } from '../documents/write-document.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Terminal } from '../terminal.ts';
import type { CommonOptions } from './common-options.ts';

export interface EmitOptions extends CommonOptions {
  out?: string;
}

/**
 * Hands a definition that a command made over: to stdout, or to the file of `--out`, saying so in a line (as JSON
 * `{ file, name, steps }`).
 */
export async function emitDefinition(
  terminal: Terminal,
  definition: WorkflowDefinition,
  { out, json }: EmitOptions,
): Promise<void> {
  if (out === undefined) {
    terminal.write(documentText(definition));
    return;
  }
  await writeDocument(definition, out, terminal.cwd);
  const steps = Object.keys(definition.steps).length;
  if (json) printJson(terminal, { file: out, name: definition.name, steps });
  else printLine(terminal, `${out}: workflow ${definition.name} with ${steps} step${steps === 1 ? '' : 's'}`);
}
