import { readFileSync } from 'node:fs';
import { defineLibrary } from '@flotilla/redis';
import { EVENT_CODES } from './event-codes.ts';
import { CHANNELS, KEY_SUFFIXES, RELAY_GROUP } from './keys.ts';

/** What transitions share: each file uses what stands before it. */
const SHARED_FILES: readonly string[] = [
  'call',
  'taken-apart',
  'gathered-writes',
  'entry',
  'run',
  'step-header',
  'how-runs-end',
  'cleanups',
  'when-runs-end',
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
  'transitions/save-progress',
  'transitions/end-run',
  'transitions/pause-run',
  'transitions/prune-run',
  'transitions/retry-run',
  'transitions/dead-letters',
  'transitions/dispatch',
  'transitions/timers',
  'transitions/renew',
  'apply-transitions',
];

/** What happens with every step has a function of its own: it reads and writes each run once a group. */
const HOT_FILES: readonly string[] = ['share-runs', 'transitions/claim', 'transitions/commit', 'apply-hot-transitions'];

const luaFile = (name: string) => readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');

/** `K.name` in the Lua files: key suffixes, channels and event codes. Put in as literals: a table would cost each call. */
function constants(): ReadonlyMap<string, string> {
  const values = new Map<string, string>(Object.entries({ ...KEY_SUFFIXES, relayGroup: RELAY_GROUP }));
  values.set('channelEnded', CHANNELS.ended);
  values.set('channelAborts', CHANNELS.aborts);
  for (const [type, code] of Object.entries(EVENT_CODES)) {
    values.set(`event${type.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}`, code);
  }
  return values;
}

function withLiterals(lua: string): string {
  const values = constants();
  return lua.replace(/\bK\.(\w+)/g, (_, name: string) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`the Lua transitions name a constant that does not exist: K.${name}`);
    return `'${value}'`;
  });
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
  progress: { lua: sourceOf(TRANSITION_FILES), allowOom: true },
  hot: { lua: sourceOf(HOT_FILES), allowOom: true },
  admission: { lua: sourceOf(TRANSITION_FILES), allowOom: false },
});

function sourceOf(files: readonly string[]): string {
  return withLiterals([...SHARED_FILES, ...files].map(luaFile).join('\n'));
}
