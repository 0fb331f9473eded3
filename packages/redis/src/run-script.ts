import { createHash } from 'node:crypto';
import { Command } from 'ioredis';
import { withoutArguments } from './classify-redis-error.ts';
import { isCluster, mastersOf, type RedisClient } from './redis-client.ts';

export type ScriptArgument = string | number | Buffer;

/** What a script returns: Redis knows no other types. Strings are decoded as UTF-8. */
export type ScriptReply = string | number | null | readonly ScriptReply[];

export interface Script {
  /** For errors and traces. */
  readonly name: string;
  readonly lua: string;
  /** By which Redis knows the script. */
  readonly sha1: string;
  /** When set, a call with another number of keys is refused. */
  readonly numberOfKeys: number | undefined;
}

export interface ScriptDefinition {
  name: string;
  lua: string;
  numberOfKeys?: number;
}

/** Prepares a script. Do it once, when the module is loaded. */
export function defineScript({ name, lua, numberOfKeys }: ScriptDefinition): Script {
  return Object.freeze({ name, lua, sha1: createHash('sha1').update(lua).digest('hex'), numberOfKeys });
}

const AS_TEXT = { replyEncoding: 'utf8' } as const;

/**
 * Runs a script by its hash; sends its text when the server does not know it (a restart, a failover, SCRIPT FLUSH).
 * On a Redis Cluster it goes to the node of the first key. Replies are strings, numbers, null and lists of them.
 * An error reply of the script or server rejects as it is, without the arguments; wrap calls in `retryTransient`.
 */
export function runScript<Reply extends ScriptReply = ScriptReply>(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[] = [],
): Promise<Reply> {
  if (script.numberOfKeys !== undefined && keys.length !== script.numberOfKeys) {
    return Promise.reject(new TypeError(`script ${script.name} takes ${script.numberOfKeys} keys, not ${keys.length}`));
  }
  return (send(client, 'evalsha', script.sha1, keys, args) as Promise<Reply>).catch((error: unknown) =>
    isUnknownScript(error)
      ? (sendText(client, script, keys, args) as Promise<Reply>)
      : Promise.reject(withoutArguments(error)),
  );
}

/** Makes the scripts known to every master, so that the first calls need not send their text. */
export async function loadScripts(client: RedisClient, scripts: readonly Script[]): Promise<void> {
  const loads = mastersOf(client).flatMap((master) => scripts.map(({ lua }) => master.script('LOAD', lua)));
  await Promise.all(loads);
}

function send(
  client: RedisClient,
  command: 'eval' | 'evalsha',
  script: string,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  return client.sendCommand(new Command(command, [script, keys.length, ...keys, ...args], AS_TEXT)) as Promise<unknown>;
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** Per client, the first sending of a script's text that is under way. */
const textUnderWay = new WeakMap<RedisClient, Map<string, Promise<unknown>>>();

/**
 * Sends the text once even when a thousand calls find the script unknown at the same time: the others wait for the
 * first and then use the hash. (On a Cluster each sends the text: the nodes learn it one by one.)
 */
async function sendText(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  try {
    if (isCluster(client)) return await send(client, 'eval', script.lua, keys, args);
    const underWay = underWayOf(client);
    const first = underWay.get(script.sha1);
    if (first === undefined) {
      const sending = send(client, 'eval', script.lua, keys, args);
      underWay.set(script.sha1, sending);
      try {
        return await sending;
      } finally {
        underWay.delete(script.sha1);
      }
    }
    // Whether the first call itself succeeded is its caller's concern; the script is known either way.
    await first.catch(() => undefined);
    try {
      return await send(client, 'evalsha', script.sha1, keys, args);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return await send(client, 'eval', script.lua, keys, args);
    }
  } catch (error) {
    throw withoutArguments(error);
  }
}

function underWayOf(client: RedisClient): Map<string, Promise<unknown>> {
  let underWay = textUnderWay.get(client);
  if (underWay === undefined) {
    underWay = new Map();
    textUnderWay.set(client, underWay);
  }
  return underWay;
}
