import { createHash } from 'node:crypto';
import { Command } from 'ioredis';
import { classifyRedisError, isCommandDenied, withoutArguments } from './classify-redis-error.ts';
import { mastersOf, type RedisClient } from './redis-client.ts';
import { defineScript, runScript, type Script, type ScriptArgument, type ScriptReply } from './run-script.ts';

/** Functions that Redis keeps: what their text prepares is made once a server, not anew for each call as with a script. */
export interface Library {
  /** Ends with a hash of the content, so that processes of different releases use libraries of their own. */
  readonly name: string;
  /** What the names of all versions of it begin with. */
  readonly family: string;
  readonly text: string;
}

export interface LibraryFunction {
  /** By which Redis knows it; of one server all are different. */
  readonly name: string;
  readonly library: Library;
  /** The same as a script, for servers that do not let the library be loaded. */
  readonly script: Script;
}

export interface FunctionDefinition {
  /**
   * A chunk that returns a function of the list of arguments. It is run once a server, at the first call: what it keeps
   * at its top lives on from call to call.
   */
  lua: string;
  /** It may run while Redis is over its memory limit. */
  allowOom: boolean;
}

/** Prepares a library; `family` and the names of the functions are of letters, digits and `_`. Do it once, when the module is loaded. */
export function defineLibrary<Name extends string>(
  family: string,
  definitions: Readonly<Record<Name, FunctionDefinition>>,
): Readonly<Record<Name, LibraryFunction>> {
  const entries = Object.entries<FunctionDefinition>(definitions);
  const content = textOf(entries, '');
  const version = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const name = `${family}_${version}`;
  const library: Library = Object.freeze({ name, family, text: `#!lua name=${name}\n${textOf(entries, `${name}_`)}` });
  const functions = entries.map(([own, { lua, allowOom }]) => {
    const flags = allowOom ? '#!lua flags=allow-oom\n' : '#!lua\n';
    const script = defineScript({ name: `${family}_${own}`, lua: `${flags}return (function()\n${lua}\nend)()(ARGV)` });
    return [own, Object.freeze({ name: `${name}_${own}`, library, script })] as const;
  });
  return Object.freeze(Object.fromEntries(functions)) as Readonly<Record<Name, LibraryFunction>>;
}

/** A chunk stands once in the text, however many functions have it. While it is loaded Lua's own libraries cannot be reached. */
function textOf(entries: readonly (readonly [string, FunctionDefinition])[], prefix: string): string {
  const chunks = [...new Set(entries.map(([, { lua }]) => lua))];
  return [
    'local function atFirstCall(chunk)',
    '  local made',
    '  return function(_, arguments)',
    '    made = made or chunk()',
    '    return made(arguments)',
    '  end',
    'end',
    ...chunks.map((lua, index) => `local function chunk${index}()\n${lua}\nend`),
    ...entries.map(([own, { lua, allowOom }]) => {
      const flags = allowOom ? "flags = { 'allow-oom' }" : 'flags = {}';
      return `redis.register_function{ function_name = '${prefix}${own}', callback = atFirstCall(chunk${chunks.indexOf(lua)}), ${flags} }`;
    }),
  ].join('\n');
}

const AS_TEXT = { replyEncoding: 'utf8' } as const;

/**
 * Calls a function; loads its library when the server does not know it (a new server, an emptied one, a new release).
 * Where the library may not be loaded (rights, a proxy, memory) the same runs as a script. On a Redis Cluster the call goes
 * to the node of the first key. Replies are strings, numbers, null and lists of them.
 * An error reply of the function or server rejects as it is, without the arguments; wrap calls in `retryTransient`.
 */
export function runFunction<Reply extends ScriptReply = ScriptReply>(
  client: RedisClient,
  called: LibraryFunction,
  keys: readonly string[],
  args: readonly ScriptArgument[] = [],
): Promise<Reply> {
  if (usesScripts(client)) return runScript<Reply>(client, called.script, keys, args);
  return (send(client, called, keys, args) as Promise<Reply>).catch(async (error: unknown) => {
    if (isUnknownFunction(error)) return runUnknown<Reply>(client, called, keys, args);
    if (!isCommandDenied(error)) throw withoutArguments(error);
    useScripts(client);
    return runScript<Reply>(client, called.script, keys, args);
  });
}

async function runUnknown<Reply extends ScriptReply>(
  client: RedisClient,
  called: LibraryFunction,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<Reply> {
  if (await loadOnce(client, called.library)) {
    try {
      return (await send(client, called, keys, args)) as Reply;
    } catch (error) {
      // Another server than the one it was loaded into: the next call loads it there.
      if (!isUnknownFunction(error)) throw withoutArguments(error);
    }
  } else {
    useScripts(client);
  }
  return runScript<Reply>(client, called.script, keys, args);
}

function send(
  client: RedisClient,
  { name }: LibraryFunction,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  return client.sendCommand(new Command('fcall', [name, keys.length, ...keys, ...args], AS_TEXT)) as Promise<unknown>;
}

const isReply = (error: unknown, pattern: RegExp) => error instanceof Error && pattern.test(error.message);
const isUnknownFunction = (error: unknown) => isReply(error, /^ERR Function not found/);

/** So long no function is tried again where libraries cannot be loaded. */
const SCRIPTS_MS = 60_000;
const scriptsUntil = new WeakMap<RedisClient, number>();

function usesScripts(client: RedisClient): boolean {
  const until = scriptsUntil.get(client);
  return until !== undefined && performance.now() < until;
}

function useScripts(client: RedisClient): void {
  scriptsUntil.set(client, performance.now() + SCRIPTS_MS);
}

/** Per client, the loading that is under way, by library. */
const loading = new WeakMap<RedisClient, Map<string, Promise<boolean>>>();

/** Loads once even when a thousand calls find the function unknown at the same time. */
function loadOnce(client: RedisClient, library: Library): Promise<boolean> {
  let underWay = loading.get(client);
  if (underWay === undefined) {
    underWay = new Map();
    loading.set(client, underWay);
  }
  let load = underWay.get(library.name);
  if (load === undefined) {
    load = loadInto(client, library).finally(() => underWay.delete(library.name));
    underWay.set(library.name, load);
  }
  return load;
}

type Master = ReturnType<typeof mastersOf>[number];

/** Whether every master has it now. Rejects with what may pass, but for a lack of memory: that may last. */
async function loadInto(client: RedisClient, library: Library): Promise<boolean> {
  const loaded = await Promise.all(mastersOf(client).map((master) => loadIntoMaster(master, library)));
  return loaded.every(Boolean);
}

async function loadIntoMaster(master: Master, { name, family, text }: Library): Promise<boolean> {
  try {
    await master.call('FUNCTION', 'LOAD', text);
  } catch (error) {
    if (isReply(error, new RegExp(`Library '${name}' already exists`))) return true;
    const condition = classifyRedisError(error);
    if (condition !== undefined && condition !== 'out-of-memory' && !isCommandDenied(error))
      throw withoutArguments(error);
    return false;
  }
  await forgetFormer(master, family, name).catch(() => undefined);
  return true;
}

/** Releases leave their libraries behind. Whoever still uses one that is deleted loads it again. */
const MOST_VERSIONS = 8;

async function forgetFormer(master: Master, family: string, current: string): Promise<void> {
  const found = JSON.stringify(await master.call('FUNCTION', 'LIST', 'LIBRARYNAME', `${family}_*`));
  const names = new Set(found.match(new RegExp(`(?<=")${family}_[0-9a-f]{16}(?=")`, 'g')));
  names.delete(current);
  if (names.size < MOST_VERSIONS) return;
  for (const name of names) await master.call('FUNCTION', 'DELETE', name);
}
