import { writeFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { CliProblem } from '../cli-problem.ts';

/** A document as text: YAML for file names that say so, else JSON. Ends with a line break. */
export function documentText(document: unknown, file?: string): string {
  const extension = file === undefined ? '' : extname(file).toLowerCase();
  if (extension === '.yaml' || extension === '.yml')
    return stringify(document, { lineWidth: 120, aliasDuplicateObjects: false });
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** @throws CliProblem `FILE_UNWRITABLE` */
export async function writeDocument(document: unknown, file: string, cwd: string): Promise<void> {
  try {
    await writeFile(resolve(cwd, file), documentText(document, file));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new CliProblem('FILE_UNWRITABLE', `${file} cannot be written: ${why}`, { cause: error });
  }
}
