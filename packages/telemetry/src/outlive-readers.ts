/**
 * Has the process outlive whoever read its stdout and stderr: what is written for nobody is lost (EPIPE), and is no reason to
 * end. Anything else that goes wrong there cannot be reported there either.
 */
export function outliveReaders(): void {
  process.stdout.on('error', ignore);
  process.stderr.on('error', ignore);
}

function ignore(): void {
  // Nothing: see above.
}
