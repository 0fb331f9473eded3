/**
 * What the bootstrap says, one plain line each. `npm start` and `npm test` speak on stdout; the `flotilla` command
 * speaks on stderr, because its stdout belongs to the command's own (often JSON) answer.
 */
let stream = process.stderr;

/** @param {NodeJS.WriteStream} target process.stdout or process.stderr */
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
