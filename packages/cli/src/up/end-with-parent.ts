/**
 * Loaded into the processes that `flotilla up` starts. Their stdin is a pipe from `up` that nothing is written to: when
 * it closes, `up` is gone (killed, even), and the process drains and ends instead of staying behind.
 */
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGTERM'));
process.stdin.resume();
// Waiting for the end of the parent is no reason to stay alive. A pipe is a socket; its type does not say so.
(process.stdin as unknown as { unref?: () => void }).unref?.();
