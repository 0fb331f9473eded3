import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { prettyLine } from '@flotilla/telemetry';

const LOOK_EVERY_MS = 200;
const PIECE_BYTES = 65_536;
const LINE_END = 0x0a;

export interface FollowLogOptions {
  /** JSON lines of this level and above: 30 is info, 40 is a warning. What is no JSON is always shown. */
  minLevel: number;
  colour: boolean;
  write(text: string): void;
}

/** Shows what is added to a log, line by line, for people. Returns what ends that, after what is there has been shown. */
export function followLog(file: string, { minLevel, colour, write }: FollowLogOptions): () => void {
  let position = 0;
  let rest = Buffer.alloc(0);
  const look = () => {
    const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size < position) position = 0; // it was emptied
    while (position < size) {
      const piece = readPiece(file, position);
      if (piece.length === 0) return;
      position += piece.length;
      rest = Buffer.concat([rest, piece]);
      const end = rest.lastIndexOf(LINE_END) + 1;
      for (const line of rest.toString('utf8', 0, end).split('\n')) {
        if (line !== '' && levelOf(line) >= minLevel) write(prettyLine(line, colour).replace(/\n?$/, '\n'));
      }
      rest = rest.subarray(end);
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    look();
  };
}

function readPiece(file: string, position: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    return piece.subarray(0, readSync(descriptor, piece, 0, PIECE_BYTES, position));
  } finally {
    closeSync(descriptor);
  }
}

function levelOf(line: string): number {
  try {
    const { level } = JSON.parse(line) as { level?: unknown };
    return typeof level === 'number' ? level : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY; // a stack, or what Node itself says
  }
}
