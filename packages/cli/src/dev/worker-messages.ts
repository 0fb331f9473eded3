/** What a worker with a channel to its parent says; worker/src/follow-parent.ts is the other end. */
export type WorkerMessage = { what: 'imported'; file: string } | { what: 'ready' };

/** What the parent says: other handlers are there, so end once the attempts under way have. */
export const LEAVE = Object.freeze({ what: 'leave' });

export function readWorkerMessage(message: unknown): WorkerMessage | undefined {
  const { what, file } = (message ?? {}) as { what?: unknown; file?: unknown };
  if (what === 'ready') return { what };
  return what === 'imported' && typeof file === 'string' ? { what, file } : undefined;
}
