import { afterEach, expect, test } from '@jest/globals';
import { type MetricsServer, type MetricsServerOptions, startMetricsServer } from './metrics-server.ts';

const open: MetricsServer[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function serve(options: Partial<MetricsServerOptions> = {}): Promise<MetricsServer> {
  const meters = { render: async () => 'some 1\n' };
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0, token: undefined, meters, ...options });
  open.push(server);
  return server;
}

test('a worker takes the next port when another has its own', async () => {
  const first = await serve();
  const port = Number(new URL(first.url).port);
  const second = await serve({ port });
  expect(Number(new URL(second.url).port)).toBeGreaterThan(port);
  expect(await (await fetch(second.url)).text()).toBe('some 1\n');
});

test('with a token metrics are for those who bring it, and /healthz is for all', async () => {
  const { url } = await serve({ token: 'a token of some length' });
  const ask = async (authorization?: string) =>
    (await fetch(url, { headers: authorization === undefined ? {} : { authorization } })).status;
  expect(await ask()).toBe(401);
  expect(await ask('Bearer another token of it')).toBe(401);
  expect(await ask('Bearer a token of some length')).toBe(200);
  expect((await fetch(new URL('/healthz', url))).status).toBe(200);
});

test('metrics that cannot be rendered are a 500 and end nothing', async () => {
  const { url } = await serve({ meters: { render: () => Promise.reject(new Error('broken')) } });
  expect((await fetch(url)).status).toBe(500);
  expect((await fetch(url)).status).toBe(500);
});
