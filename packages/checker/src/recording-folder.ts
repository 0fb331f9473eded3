import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMPTY_RECORDING, type Recording } from './recording.ts';

/** One kind of what is recorded; `calls` is in `calls.jsonl`, and so on. */
export type Part = keyof Recording;

const PARTS = Object.keys(EMPTY_RECORDING) as Part[];

const fileOf = (folder: string, part: Part): string => join(folder, `${part}.jsonl`);

/** Writes a recording as JSON lines, a file a part. The folder is created; files in it are written anew. */
export function writeRecording(folder: string, recording: Recording): void {
  mkdirSync(folder, { recursive: true });
  for (const part of PARTS) {
    writeFileSync(fileOf(folder, part), recording[part].map((item) => `${JSON.stringify(item)}\n`).join(''));
  }
}

/** Reads what `writeRecording` or a `Recorder` has written. A part without a file is empty. Throws on a line that is no JSON. */
export function readRecording(folder: string): Recording {
  if (!existsSync(folder)) throw new Error(`there is no recording in ${folder}`);
  return Object.fromEntries(PARTS.map((part) => [part, readPart(folder, part)])) as unknown as Recording;
}

function readPart(folder: string, part: Part): unknown[] {
  const file = fileOf(folder, part);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  // Whoever wrote it may have been killed in the middle of the last line.
  const whole = lines.slice(0, -1).filter((line) => line !== '');
  return whole.map((line) => JSON.parse(line) as unknown);
}

export function appendToRecording(folder: string, part: Part, item: object): void {
  appendFileSync(fileOf(folder, part), `${JSON.stringify(item)}\n`);
}
