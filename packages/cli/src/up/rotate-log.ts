import { closeSync, copyFileSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';

const PIECE_BYTES = 65_536;

/**
 * Moves what is in a log to `NAME.1.log` once it is larger than `maxBytes`. The process that writes it holds it open, so its text is
 * copied and the file emptied: it must have been opened for appending. Reports nothing and does nothing when there is no such file.
 */
export function rotateLog(logFile: string, maxBytes: number): void {
  const { size } = statSync(logFile, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size <= maxBytes) return;
  const former = logFile.replace(/(\.log)?$/, '.1.log');
  copyFileSync(logFile, former);
  emptyAfterCopy(logFile, former);
}

/** What was written while the large copy was made follows in small ones, so that next to nothing can come before the end of the last. */
function emptyAfterCopy(logFile: string, former: string): void {
  const log = openSync(logFile, 'r+');
  const copy = openSync(former, 'a');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let copied = statSync(former).size;
    for (;;) {
      const length = readSync(log, piece, 0, PIECE_BYTES, copied);
      if (length === 0) break;
      writeSync(copy, piece, 0, length);
      copied += length;
    }
    ftruncateSync(log, 0);
  } finally {
    closeSync(copy);
    closeSync(log);
  }
}
