import { readdirSync, readFileSync } from 'node:fs';

const OPEN_FILES = '/proc/self/fd';
const LIMITS = '/proc/self/limits';
const NONE_LEFT: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE']);

/** How many files and connections this process may have open; undefined where it is not known: only Linux says. */
export function handleLimitOf(limits: () => string = () => readFileSync(LIMITS, 'utf8')): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(limits())?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** How many are open; all that may be when not even the list can be opened, 0 where there is none. */
export function countHandles(limit: number | undefined, list: () => readonly string[] = () => readdirSync(OPEN_FILES)) {
  try {
    return list().length;
  } catch (error) {
    return NONE_LEFT.has((error as NodeJS.ErrnoException).code) ? (limit ?? 0) : 0;
  }
}
