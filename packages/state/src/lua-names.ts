import { EVENT_CODES } from './event-codes.ts';
import * as format from './format.ts';
import { CHANNELS, KEY_SUFFIXES, RELAY_GROUP } from './keys.ts';

/**
 * Puts literals where a Lua file has names: a table would cost each call.
 *
 * | In Lua | Becomes |
 * |---|---|
 * | `K.history` | a key suffix, channel or event code |
 * | `STEP.running`, `FIELD.meta`, … | the letter of `format.ts`, one literal with those that it is joined to |
 * | `header[H.fence]`, `map[MAP.items]` | the part's position |
 * | `A.runId` | an argument of the transition around it; in a helper, of all transitions of the file |
 * | `S.worker`, `O.key` | of claims and commits: an argument that a list shares, one that each has |
 * | `E.key` | an argument of the entry at `index` of what is repeated |
 * | `C.namespace`, `P.tag` | an argument of the call, or of the entry at `position` |
 * | `#A`, `#S`, … | how many they are |
 *
 * @throws Error when a name does not exist, or a helper's argument stands at several places
 */
export function withLiterals(lua: string): string {
  return withArguments(withPositions(withLetters(withKeys(lua))));
}

type Table<Value> = Readonly<Record<string, Value>>;

function lookUp<Value>(table: Table<Value> | undefined, name: string): Value {
  const value = table?.[name];
  if (value === undefined) throw new Error(`the Lua transitions use a name that does not exist: ${name}`);
  return value;
}

const KEYS: Table<string> = {
  ...KEY_SUFFIXES,
  relayGroup: RELAY_GROUP,
  channelEnded: CHANNELS.ended,
  channelAborts: CHANNELS.aborts,
  ...Object.fromEntries(Object.entries(EVENT_CODES).map(([type, code]) => [`event${inCamelCase(type)}`, code])),
};

function inCamelCase(type: string): string {
  return type.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function withKeys(lua: string): string {
  return lua.replace(/\bK\.(\w+)/g, (_, name: string) => `'${lookUp(KEYS, name)}'`);
}

const { STEP, STATES, RUN, ENDING, DUE, TIMERS, OUTBOX, FIELD, PREFIX, FIELDS, JOIN, RECORD } = format;
const { WAIT_FIELD, WAIT_ANSWER, MAP_MODE, CLAIM_TRAIT, COMMIT_TRAIT } = format;
const { NO_HEADER, LOOP_WAIT, RETRIED_MAP, TOLERATED, UNDONE_STEPS } = format;
const LETTERS = lettersOf({
  ...{ STEP, STATES, RUN, ENDING, DUE, TIMERS, OUTBOX, FIELD, PREFIX, FIELDS, JOIN, RECORD, CLAIM_TRAIT, COMMIT_TRAIT },
  ...{ WAIT_FIELD, WAIT_ANSWER, MAP_MODE },
});

function lettersOf(tables: Table<Table<string>>): Table<string> {
  const letters = Object.entries(tables).flatMap(([table, entries]) =>
    Object.entries(entries).map(([name, letter]) => [`${table}.${name}`, letter]),
  );
  return { ...Object.fromEntries(letters), NO_HEADER, LOOP_WAIT, RETRIED_MAP, TOLERATED, UNDONE_STEPS };
}

const LETTER_NAME = new RegExp(`\\b(?:${Object.keys(LETTERS).join('|').replaceAll('.', '\\.')})\\b`, 'g');
const MARK = '\u0001';
const TABLE_KEY = new RegExp(`([{,]\\s+)\\[${MARK}(.)${MARK}\\] =`, 'g');
const JOINED = new RegExp(`(?:'([^'\\n]*)' \\.\\. )?${MARK}(.*?)${MARK}(?: \\.\\. '([^'\\n]*)')?`, 'g');

/** `'|' .. STEP.ready .. '|0'` is one literal, `'|Y|0'`; a table's `[STEP.ready] =` is `Y =`. */
function withLetters(lua: string): string {
  return lua
    .replace(LETTER_NAME, (name) => MARK + lookUp(LETTERS, name) + MARK)
    .replace(TABLE_KEY, (_, before: string, letter: string) => `${before}${letter} =`)
    .replace(JOINED, (_, before = '', letter = '', after = '') => `'${before}${letter}${after}'`);
}

const POSITIONS: Table<Table<number>> = {
  H: format.HEADER,
  MAP: format.MAP_HEADER,
  FAILED_MAP: format.FAILED_MAP_HEADER,
};

/** Lua counts from 1. */
function withPositions(lua: string): string {
  return lua.replace(/\b(H|MAP|FAILED_MAP)\.(\w+)/g, (_, table: string, name: string) =>
    String(lookUp(POSITIONS[table], name) + 1),
  );
}

type Lists = Table<readonly string[]>;

/** Of each letter that stands for a list of arguments: where they begin, and the list by transition. */
const ARGUMENT_LISTS: Table<{ base: string; lists: Lists }> = {
  A: { base: 'a', lists: format.ARGUMENTS },
  S: { base: 's', lists: { claim: format.HOT_ARGUMENTS.claim.shared, commit: format.HOT_ARGUMENTS.commit.shared } },
  O: { base: 'o', lists: { claim: format.HOT_ARGUMENTS.claim.own, commit: format.HOT_ARGUMENTS.commit.own } },
  E: { base: 'a + index', lists: format.REPEATED_ARGUMENTS },
  P: { base: 'position', lists: { '': format.ENTRY_ARGUMENTS } },
  C: { base: '', lists: { '': format.CALL_ARGUMENTS } },
};

const TRANSITION = /^(?:T|LIST|WANT)\['([\w-]+)'\]/gm;

/** A block that begins at the start of a line is of the transition that it names, or it helps all of the file. */
function withArguments(lua: string): string {
  const all = new Set([...lua.matchAll(TRANSITION)].map(([, name = '']) => name));
  const blocks = lua.split(/^(?=T\[|LIST\[|WANT\[|local function )/m);
  return blocks
    .map((block) => {
      const own = [...block.matchAll(TRANSITION)].map(([, name = '']) => name);
      return withArgumentsOf(block, own.length > 0 ? own : [...all]);
    })
    .join('');
}

function withArgumentsOf(block: string, transitions: readonly string[]): string {
  const listsOf = (letter: string): readonly (readonly string[])[] => {
    const { lists } = lookUp(ARGUMENT_LISTS, letter);
    return '' in lists ? [lookUp(lists, '')] : transitions.map((name) => lookUp(lists, name));
  };
  return block
    .replace(/#([ASOEPC])\b(?: \+ (\d+))?/g, (_, letter: string, more = '0') =>
      String((listsOf(letter)[0]?.length ?? 0) + Number(more)),
    )
    .replace(/\b([ASOEPC])\.(\w+)/g, (_, letter: string, name: string) => {
      const [position = -1, ...others] = new Set(listsOf(letter).map((list) => list.indexOf(name)));
      if (position < 0 || others.length > 0) {
        throw new Error(`${letter}.${name} is no argument of ${transitions.join(' and ')}, or not at one place`);
      }
      const { base } = lookUp(ARGUMENT_LISTS, letter);
      if (base === '') return `ARGV[${position + 1}]`;
      return position === 0 ? `ARGV[${base}]` : `ARGV[${base} + ${position}]`;
    });
}
