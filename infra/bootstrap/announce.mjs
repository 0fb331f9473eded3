/**
 * What the bootstrap says, one plain line each. `npm start` and `npm test` speak on stdout; the `flotilla` command
 * speaks on stderr, because its stdout belongs to the command's own (often JSON) answer.
 */
let stream = process.stderr;

/** @param {{ write: (text: string) => boolean }} target process.stdout or process.stderr; tests give a silent one */
export function announceOn(target) {
  stream = target;
}

/** @param {string} line */
export function announce(line) {
  stream.write(`flotilla: ${line}\n`);
}

/** Where a program that the bootstrap runs should write: the file descriptor behind `announce`. */
export function announceDescriptor() {
  return stream === process.stdout ? 1 : 2;
}
