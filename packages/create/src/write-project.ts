import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PlannedFile } from './plan-project.ts';

/**
 * Writes all files, or none: when one cannot be written, those before it and the folders made for them are removed again.
 * @throws what the file system said
 */
export function writeProject(target: string, files: readonly PlannedFile[]): void {
  const made: string[] = [];
  try {
    for (const file of files) write(join(target, file.path), file, made);
  } catch (error) {
    for (const path of made.reverse()) rmSync(path, { recursive: true, force: true });
    throw error;
  }
}

function write(path: string, file: PlannedFile, made: string[]): void {
  const firstFolder = mkdirSync(dirname(path), { recursive: true });
  if (firstFolder !== undefined) made.push(firstFolder);
  // What is written anew is so at one blow, and its old content outlives a full disk.
  const written = file.replaces === true ? `${path}.new` : path;
  try {
    writeFileSync(written, file.text, { flag: 'wx' });
    made.push(written);
  } catch (error) {
    // A full disk leaves half a file. What somebody else has put there stays.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') made.push(written);
    throw error;
  }
  if (file.replaces === true) renameSync(written, path);
}
