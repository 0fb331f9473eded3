import { open } from 'node:fs/promises';
import { CliProblem } from '../cli-problem.ts';

/** Largest workflow or input file. A definition of 20,000 steps has about 4 MB. */
export const MAX_TEXT_BYTES = 8 * 1024 * 1024;

/**
 * The bytes of a file, at most `maxBytes` of them: a larger file is refused before it is read.
 * @throws CliProblem `FILE_NOT_FOUND FILE_UNREADABLE FILE_EMPTY FILE_TOO_LARGE`
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await openFile(path);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new CliProblem('FILE_UNREADABLE', `${path} is a folder`);
    // Pipes and devices have no size; they are read up to the limit as well.
    const bytes = await readUpTo(file, maxBytes + 1);
    if (bytes.length > maxBytes) {
      throw new CliProblem('FILE_TOO_LARGE', `${path} is larger than ${maxBytes / 1024 / 1024} MiB`);
    }
    if (bytes.length === 0) throw new CliProblem('FILE_EMPTY', `${path} is empty`);
    return bytes;
  } finally {
    await file.close();
  }
}

/**
 * The text of a file: UTF-8, without a byte order mark.
 * @throws CliProblem those of `readBoundedFile`, `FILE_EMPTY` for nothing but white space, and `FILE_BINARY`.
 */
export async function readTextFile(path: string, maxBytes = MAX_TEXT_BYTES): Promise<string> {
  return decodeText(path, await readBoundedFile(path, maxBytes));
}

/** @throws CliProblem `FILE_BINARY FILE_EMPTY` */
export function decodeText(path: string, bytes: Uint8Array): string {
  const hint = 'a workflow is YAML or JSON text in UTF-8';
  if (bytes.includes(0)) throw new CliProblem('FILE_BINARY', `${path} is a binary file`, { hint });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CliProblem('FILE_BINARY', `${path} is not UTF-8 text`, { hint, cause: error });
  }
  if (text.trim() === '') throw new CliProblem('FILE_EMPTY', `${path} is empty`);
  return text;
}

async function openFile(path: string) {
  try {
    return await open(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CliProblem('FILE_NOT_FOUND', `there is no file ${path}`);
    const message = `${path} cannot be read: ${code ?? (error as Error).message}`;
    throw new CliProblem('FILE_UNREADABLE', message, { cause: error });
  }
}

async function readUpTo(file: Awaited<ReturnType<typeof openFile>>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < limit) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(65_536, limit - total)));
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
  }
  return Buffer.concat(chunks);
}
