import { readFileSync } from 'node:fs';
import { defineLibrary } from '@flotilla/redis';
import { withLiterals } from './lua-names.ts';

/** What transitions share. Each Lua file says in its first line which others it needs: those stand before it. */
const SHARED_FILES: readonly string[] = [
  'call',
  'memoized-parser',
  'pending-writes',
  'entry',
  'run',
  'indexes',
  'error-groups',
  'step-header',
  'hand-out',
  'waits',
  'finish-run',
  'cleanups',
  'begin-ending',
  'edges-and-groups',
  'settle-step',
  'attempts',
  'parked-steps',
];

const TRANSITION_FILES: readonly string[] = [
  'transitions/clean-up',
  'transitions/create-run',
  'transitions/fail',
  'transitions/release',
  'transitions/settle',
  'transitions/start-waiting',
  'transitions/waits',
  'transitions/loops',
  'transitions/save-progress',
  'transitions/end-run',
  'transitions/pause-run',
  'transitions/usage',
  'transitions/append-logs',
  'transitions/prune-run',
  'transitions/tidy-indexes',
  'transitions/retry-run',
  'transitions/dead-letters',
  'transitions/dispatch',
  'transitions/timers',
  'transitions/traces',
  'transitions/renew',
  'apply-transitions',
];

/** What happens with every step has a function of its own: it reads and writes each run once a group. */
const HOT_FILES: readonly string[] = ['share-runs', 'transitions/claim', 'transitions/commit', 'apply-hot-transitions'];

/** The files of each library function, in the order in which they are joined. */
export const LUA_FILES = {
  transitions: [...SHARED_FILES, ...TRANSITION_FILES],
  hot: [...SHARED_FILES, ...HOT_FILES],
} as const;

/** A file as it is written: `name` is its path below `lua` without the ending. */
export function readLuaFile(name: string): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}

const NEEDS = /^-- needs: (.*)\n/;

/**
 * What Redis is given: without the lines that only readers and tests need. What the functions of a file are to others' is
 * said by `needs`; a file of transitions that nobody needs is a block of its own, as Lua knows at most 200 local variables
 * side by side.
 */
function sourceOf(files: readonly string[]): string {
  const texts = files.map((name) => [name, readLuaFile(name)] as const);
  const needed = new Set(texts.flatMap(([, text]) => NEEDS.exec(text)?.[1]?.split(', ') ?? []));
  return texts
    .map(([name, text]) => {
      const source = withLiterals(text.replace(NEEDS, ''));
      return name.startsWith('transitions/') && !needed.has(name) ? `do\n${source}\nend` : source;
    })
    .join('\n');
}

/**
 * The functions that apply a group of transitions. What a process of another release has loaded is another library, for
 * its name tells its content.
 *
 * `progress` may run while Redis is over its memory limit: commits, failures and renewals must get through, or work that
 * is finished would be thrown away (Redis refuses a call at its first denied write otherwise). `hot` is the same for
 * claims and commits, and knows no others. `admission` is refused as a whole then: what is new waits outside.
 */
export const transitionFunctions = defineLibrary('flotilla_transitions', {
  progress: { lua: sourceOf(LUA_FILES.transitions), allowOom: true },
  hot: { lua: sourceOf(LUA_FILES.hot), allowOom: true },
  admission: { lua: sourceOf(LUA_FILES.transitions), allowOom: false },
});
