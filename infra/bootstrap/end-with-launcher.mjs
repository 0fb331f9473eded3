/**
 * Loaded into the commands that start processes of their own (`up`). File descriptor 3 is a pipe from the launcher that nothing
 * is written to: when it closes, the launcher is gone (killed, even), and the command drains and ends with all that it
 * has started, instead of staying behind.
 */
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

export const LAUNCHER_DESCRIPTOR = 3;

if (isMainThread) {
  const pipe = new Socket({ fd: LAUNCHER_DESCRIPTOR, readable: true, writable: false });
  const end = () => process.kill(process.pid, 'SIGTERM');
  pipe.on('end', end).on('error', end);
  pipe.resume();
  // Waiting for the end of the launcher is no reason to stay alive.
  pipe.unref();
}
