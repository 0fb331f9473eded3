import { setTimeout as pause } from 'node:timers/promises';
import { eventually, within } from '@flotilla/local-fleet';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import type { Scene } from '../scene.ts';
import type { Injector } from './injury.ts';

const TARGETS = ['redis'];

/** F6 */
export const killRedis: Injector = async (scene, { variant }) => {
  const pid = scene.redis.pid();
  const [, policy] = (await scene.admin.call('CONFIG', 'GET', 'appendfsync')) as string[];
  const startAt = Date.now();
  await scene.redis.kill9();
  const goneAt = Date.now();
  await pause(variant.holdMs);
  await scene.redis.restart();
  const endAt = Date.now();
  const proof = scene.redis.pid() === pid ? [] : [`Redis ${pid} killed, ${scene.redis.pid()} serves since then`];
  return { startAt, endAt, targets: TARGETS, proof, ...(policy === 'always' ? {} : { unwrittenUntil: goneAt }) };
};

/** F8 */
export const freezeRedis: Injector = async (scene, { variant }) => {
  const startAt = Date.now();
  scene.redis.pause();
  try {
    const answered = await answers(scene, Math.min(1000, variant.holdMs));
    await pause(Math.max(0, variant.holdMs - (Date.now() - startAt)));
    return { startAt, endAt: Date.now(), targets: TARGETS, proof: answered ? [] : ['Redis did not answer PING'] };
  } finally {
    scene.redis.resume();
  }
};

async function answers(scene: Scene, timeoutMs: number): Promise<boolean> {
  return within(scene.admin.ping(), timeoutMs, 'PING').then(
    () => true,
    () => false,
  );
}

/** F9: nobody is answered for 5 s, then everybody with BUSY, until the script is killed. */
export const busyRedis: Injector = async (scene, { variant }) => {
  const holder = connectRedis(scene.redis.url, 'blocking', { name: 'chaos-script' });
  try {
    await untilReady(holder, 5000);
    const startAt = Date.now();
    const held = holder.client.eval('while true do end', 0).then(
      () => 'ended',
      (error: Error) => error.message,
    );
    await pause(variant.holdMs);
    const busy = await errorOf(() => scene.admin.ping());
    await eventually(async () => (await errorOf(() => scene.admin.call('SCRIPT', 'KILL'))) === undefined, {
      timeoutMs: 10_000,
      intervalMs: 100,
      message: 'the script to be killed',
    });
    const endAt = Date.now();
    await within(held, 5000, 'the end of the script');
    const proof = busy?.startsWith('BUSY') ? [`Redis answered ${busy.slice(0, 40)}`] : [];
    return { startAt, endAt, targets: TARGETS, proof };
  } finally {
    await closeConnection(holder);
  }
};

/** F15 */
export const fillRedis: Injector = async (scene, { number, variant }) => {
  const used = Number(/used_memory:(\d+)/.exec(await scene.admin.info('memory'))?.[1]);
  const startAt = Date.now();
  await scene.admin.call('CONFIG', 'SET', 'maxmemory', String(Math.floor(used / 2)));
  try {
    const proof = await refusals(scene, number, 'OOM');
    await pause(Math.max(0, variant.holdMs - (Date.now() - startAt)));
    return { startAt, endAt: Date.now(), targets: TARGETS, proof };
  } finally {
    await scene.admin.call('CONFIG', 'SET', 'maxmemory', '0');
  }
};

/** What a write is told, and what a submission is told: none of it when both go through. */
export async function refusals(scene: Scene, number: number, error: string): Promise<string[]> {
  const proof: string[] = [];
  const refused = await eventually(
    async () => {
      const message = await errorOf(() => scene.admin.set('chaos:probe', '1', 'PX', 1000));
      return message?.startsWith(error) ? message : undefined;
    },
    { timeoutMs: 2000, message: `a write to be refused with ${error}` },
  ).catch(() => undefined);
  if (refused !== undefined) proof.push(`a write was refused: ${refused.slice(0, 40)}`);
  const definition = { flotilla: 1, name: 'chaos-refused', steps: { a: { kind: 'task', use: 'flotilla.echo' } } };
  const { status, body } = await scene.fleet.api.request<{ code?: string; retryAfterMs?: number }>(
    'POST',
    '/v1/runs',
    { definition, runId: `refused-${number}` },
    { repeat: false, timeoutMs: 12_000 },
  );
  if (status === 503) proof.push(`a submission was refused: 503 ${body.code}, retry after ${body.retryAfterMs} ms`);
  return proof;
}

/** F18 */
export const noConnections: Injector = async (scene, { variant }) => {
  const before = await rejectedConnections(scene);
  const [, most = '10000'] = (await scene.admin.call('CONFIG', 'GET', 'maxclients')) as string[];
  const startAt = Date.now();
  await scene.admin.call('CONFIG', 'SET', 'maxclients', '4');
  try {
    for (const { proxy } of [...scene.workers, ...scene.schedulers]) proxy.resetConnections();
    await pause(variant.holdMs);
  } finally {
    await scene.admin.call('CONFIG', 'SET', 'maxclients', most);
  }
  const endAt = Date.now();
  const rejected = (await rejectedConnections(scene)) - before;
  return { startAt, endAt, targets: TARGETS, proof: rejected > 0 ? [`${rejected} connections were refused`] : [] };
};

async function rejectedConnections(scene: Scene): Promise<number> {
  return Number(/rejected_connections:(\d+)/.exec(await scene.admin.info('stats'))?.[1]);
}

/** F22 */
export const vandaliseQueue: Injector = async (scene) => {
  let deleted = 0;
  const startAt = Date.now();
  for (const prefix of scene.queuePrefixes) {
    const keys = await scene.admin.keys(`${prefix}*`);
    if (keys.length > 0) deleted += await scene.admin.del(...keys);
  }
  const proof = deleted > 0 ? [`${deleted} keys deleted`] : [];
  return { startAt, endAt: Date.now(), targets: TARGETS, proof };
};

async function errorOf(call: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
