import { readFileSync } from 'node:fs';
import { EVENT_CODES } from './event-codes.ts';
import { CHANNELS, KEY_SUFFIXES, RELAY_GROUP } from './keys.ts';

const TRANSITION_FILES = [
  'settle-step',
  'create-run',
  'claim',
  'commit',
  'fail',
  'release',
  'settle',
  'start-waiting',
  'save-progress',
  'end-run',
  'dispatch',
  'timers',
  'renew',
] as const;

/** What happens with every step. A script of these alone costs half of what the whole one costs to enter. */
const HOT_FILES: readonly string[] = ['settle-step', 'claim', 'commit'];
export const HOT_TRANSITIONS: ReadonlySet<string> = new Set(['claim', 'commit']);

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
 * The script that applies a group of transitions.
 *
 * `progress` may run while Redis is over its memory limit: commits, failures and renewals must get through, or work that
 * is finished would be thrown away (Redis refuses a script at its first denied write otherwise). `hot` is the same for
 * groups of `HOT_TRANSITIONS` only. `admission` is refused as a whole then: what is new waits outside.
 */
export function transitionScript(kind: 'progress' | 'hot' | 'admission'): string {
  const flags = kind === 'admission' ? '#!lua\n' : '#!lua flags=allow-oom\n';
  const files = kind === 'hot' ? HOT_FILES : TRANSITION_FILES;
  const transitions = files.map((name) => luaFile(`transitions/${name}`)).join('\n');
  return flags + withLiterals(`${luaFile('prelude')}${transitions}\n${luaFile('apply-transitions')}`);
}
