import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { PlanShape } from './plan-shape.ts';
import { deleteWorkflow, listWorkflows, readWorkflow, registerWorkflow } from './workflow-registry.ts';

const namespace = testNamespace(import.meta.url);
let connection: RedisConnection;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
afterAll(() => closeConnection(connection));

async function register(name: string, version?: string, forMs = 1): Promise<void> {
  const definition = { name, ...(version === undefined ? {} : { version }), steps: { a: { kind: 'delay', forMs } } };
  const plan = { definition, hash: `${name}-${version}-${forMs}` } as unknown as PlanShape;
  await registerWorkflow(connection.client, namespace, plan);
}
const latest = async (name: string) => (await readWorkflow(connection.client, namespace, name))?.version;
const remove = (name: string, version?: string) => deleteWorkflow(connection.client, namespace, name, version);

test('one version of a workflow is forgotten, and the one registered before it becomes the latest', async () => {
  for (const version of ['1.0.0', '3.0.0', '2.0.0']) await register('order', version);
  await register('order-archive', '1.0.0');
  expect(await latest('order')).toBe('2.0.0');
  expect(await remove('order', '1.0.0')).toBe(1);
  expect(await latest('order')).toBe('2.0.0');
  expect(await remove('order', '2.0.0')).toBe(1);
  expect(await latest('order')).toBe('3.0.0');
  expect(await remove('order', '3.0.0')).toBe(1);
  expect(await readWorkflow(connection.client, namespace, 'order')).toBeUndefined();
  expect(await latest('order-archive')).toBe('1.0.0');
  expect(await remove('order-archive')).toBe(1);
});

test('all versions of a workflow are forgotten, and it can be registered again with another content', async () => {
  for (let version = 1; version <= 150; version += 1) await register('many', `${version}.0.0`);
  expect(await remove('many')).toBe(150);
  expect(await remove('many')).toBe(0);
  await register('many', '1.0.0', 2);
  expect(await latest('many')).toBe('1.0.0');
  const { workflows } = await listWorkflows(connection.client, namespace, { limit: 100 });
  expect(workflows.map(({ name }) => name)).toEqual(['many']);
});

test('a workflow without versions is forgotten', async () => {
  await register('plain');
  expect(await remove('plain', '1.0.0')).toBe(0);
  expect(await remove('plain')).toBe(1);
  expect(await readWorkflow(connection.client, namespace, 'plain')).toBeUndefined();
});
