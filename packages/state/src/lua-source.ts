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

const luaFile = (name: string) => readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');

function constants(): string {
  const values: Record<string, string> = { ...KEY_SUFFIXES, relayGroup: RELAY_GROUP };
  values['channelEnded'] = CHANNELS.ended;
  values['channelAborts'] = CHANNELS.aborts;
  for (const [type, code] of Object.entries(EVENT_CODES)) {
    values[`event${type.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}`] = code;
  }
  const fields = Object.entries(values).map(([name, value]) => `${name} = '${value}'`);
  return `local K = { ${fields.join(', ')} }\n`;
}

/**
 * The script that applies a group of transitions.
 *
 * `progress` may run while Redis is over its memory limit: commits, failures and renewals must get through, or work that
 * is finished would be thrown away (Redis refuses a script at its first denied write otherwise). `admission` is
 * refused as a whole then: what is new waits outside.
 */
export function transitionScript(kind: 'progress' | 'admission'): string {
  const flags = kind === 'progress' ? '#!lua flags=allow-oom\n' : '#!lua\n';
  return (
    flags +
    constants() +
    luaFile('prelude') +
    TRANSITION_FILES.map((name) => luaFile(`transitions/${name}`)).join('\n') +
    luaFile('apply-transitions')
  );
}
