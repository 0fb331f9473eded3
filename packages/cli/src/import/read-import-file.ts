import { basename, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { findJsonProblem } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';
import { parseJson } from '../documents/parse-json.ts';
import { decodeText, readBoundedFile } from '../documents/read-text-file.ts';

/** Largest file, and largest content of a compressed one: a small file may inflate to a thousand times its size. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_KEYS = 5_000_000;

/**
 * The JSON value in a file, plain or gzipped.
 * @throws CliProblem with what is wrong with the file.
 */
export async function readImportFile(file: string, cwd: string): Promise<unknown> {
  const bytes = await readBoundedFile(resolve(cwd, file), MAX_BYTES);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const value = parseJson(decodeText(file, gzipped ? inflate(bytes, file) : bytes), file);
  const problem = findJsonProblem(value, { maxDepth: 64, maxBytes: MAX_BYTES, maxKeys: MAX_KEYS });
  if (problem !== undefined) throw new CliProblem(problem.code, `${file} cannot be used`, { problems: [problem] });
  return value;
}

/** File name without folder and `.json`, `.gz`. */
export function plainName(file: string): string {
  return basename(file)
    .replace(/\.gz$/i, '')
    .replace(/\.json$/i, '');
}

function inflate(bytes: Uint8Array, file: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new CliProblem('FILE_TOO_LARGE', `${file} inflates to more than ${MAX_BYTES / 1024 / 1024} MiB`);
    }
    throw new CliProblem('FILE_BINARY', `${file} is a damaged gzip file`, { cause: error });
  }
}
