import type { CommitReply } from '@flotilla/state';
import type { AttemptRuntime } from '../attempt-runtime.ts';

/** The attempt that a commit may claim is owned while it does, and from then on if it did. */
export async function owningNext(
  { owned }: AttemptRuntime,
  attemptId: string | undefined,
  send: () => Promise<CommitReply>,
): Promise<CommitReply> {
  if (attemptId === undefined) return send();
  owned.add(attemptId);
  let reply: CommitReply | undefined;
  try {
    reply = await send();
    return reply;
  } finally {
    if (reply?.outcome !== 'continued') owned.delete(attemptId);
  }
}
