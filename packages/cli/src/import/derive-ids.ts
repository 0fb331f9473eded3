import { createHash } from 'node:crypto';
import { isLegalId } from '@flotilla/contracts';

const MAX_READABLE_LENGTH = 100;
const HASH_LENGTH = 8;

/**
 * A step id for each task id, in order: the task's own where it is legal, else one that reads like it and ends in a
 * hash of it. The same tasks give the same ids; two tasks never share one.
 */
export function stepIdsFor(taskIds: readonly string[]): string[] {
  const taken = new Set(taskIds.filter(isLegalId));
  return taskIds.map((taskId) => {
    if (isLegalId(taskId)) return taskId;
    let id = derivedId(taskId, 0);
    for (let round = 1; taken.has(id); round += 1) id = derivedId(taskId, round);
    taken.add(id);
    return id;
  });
}

/** A legal workflow name: the document's own, else one made from it or from the fallback. */
export function workflowNameFor(name: string | undefined, fallback: string): string {
  if (isLegalId(name)) return name;
  if (isLegalId(fallback)) return fallback;
  return derivedId(name ?? fallback, 0);
}

function derivedId(text: string, round: number): string {
  const readable = text
    .toWellFormed()
    .slice(0, MAX_READABLE_LENGTH * 2)
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_READABLE_LENGTH)
    .replace(/[^A-Za-z0-9]+$/, '');
  const hash = createHash('sha256').update(`${round}:${text}`).digest('hex').slice(0, HASH_LENGTH);
  return readable === '' ? `task-${hash}` : `${readable}-${hash}`;
}
