import { followImports } from './imported-files.ts';

export interface ParentLink {
  /** Says that the handlers are loaded and tasks are taken. */
  ready(): void;
}

/**
 * For the worker of `flotilla dev`, which tells it which files the handlers are made of and asks it to leave when one of
 * them has changed. Does nothing in a process that nobody talks to. The messages are those of cli/src/dev/worker-messages.ts.
 */
export function followParent(leave: () => void): ParentLink {
  if (process.send === undefined) return { ready: () => undefined };
  // Who has ended hears nothing; that this process then ends, too, is the business of its standard input.
  const tell = (message: unknown) => process.send?.(message, undefined, undefined, () => undefined);
  followImports((file) => tell({ what: 'imported', file }));
  process.once('message', (message: unknown) => {
    if ((message as { what?: unknown } | null)?.what === 'leave') leave();
  });
  return { ready: () => tell({ what: 'ready' }) };
}
