import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SCOPES, type Scope } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { createLogger, NO_METERS } from '@flotilla/telemetry';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { type DashboardConfig, readDashboardConfig } from '../config.ts';
import { QueueBoard } from '../queues/queue-board.ts';
import { SchedulerAccess } from '../sessions/scheduler-access.ts';
import { SessionStore } from '../sessions/session-store.ts';
import { createDashboardServer } from './create-dashboard-server.ts';

const namespace = testNamespace(import.meta.url);
const KEY = 'a-key-of-the-tests';
const READER = 'a-key-that-only-reads';
const LOCAL = { host: '127.0.0.1:7071' };
const CHANGE = { ...LOCAL, 'x-flotilla-dashboard': '1' };

let connection: RedisConnection;
let scheduler: Server;
let schedulerUrl: string;
/** What the scheduler asks for; undefined: it takes everybody. */
let keys: Record<string, readonly Scope[]> | undefined;
let received: IncomingMessage[] = [];
const servers: { app: FastifyInstance; board: QueueBoard }[] = [];

beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  scheduler = createServer((request, response) => {
    received.push(request);
    const key = request.headers.authorization?.replace('Bearer ', '');
    const scopes = keys === undefined ? SCOPES : keys[key ?? ''];
    response.writeHead(scopes === undefined ? 401 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(scopes === undefined ? { code: 'UNAUTHORIZED' } : { scopes }));
  });
  await new Promise<void>((resolve) => scheduler.listen(0, '127.0.0.1', resolve));
  schedulerUrl = `http://127.0.0.1:${(scheduler.address() as AddressInfo).port}`;
});
beforeEach(() => {
  keys = undefined;
  received = [];
});
afterEach(async () => {
  for (const { app, board } of servers.splice(0)) {
    await app.close();
    await board.close();
  }
});
afterAll(async () => {
  scheduler.closeAllConnections();
  await new Promise((resolve) => scheduler.close(resolve));
  await closeConnection(connection);
});

async function serve(environment: Record<string, string> = {}): Promise<FastifyInstance> {
  const config: DashboardConfig = readDashboardConfig({
    FLOTILLA_URL: schedulerUrl,
    FLOTILLA_NAMESPACE: namespace,
    ...environment,
  });
  const logger = createLogger({ name: 'dashboard', level: 'silent' });
  const { client, target } = connection;
  const board = new QueueBoard({ client, namespace, logger });
  const app = await createDashboardServer({
    ...{ config, logger, meters: NO_METERS, board, redisTarget: target, redisIsReady: () => true },
    access: new SchedulerAccess(config.schedulerUrl),
    sessions: new SessionStore({ client, namespace, lifetimeMs: config.sessionMs }),
  });
  servers.push({ app, board });
  return app;
}

async function logIn(app: FastifyInstance, key: string, headers: Record<string, string> = CHANGE): Promise<string> {
  const answer = await app.inject({ method: 'POST', url: '/session', headers, payload: { key } });
  expect(answer.statusCode).toBe(200);
  return String(answer.headers['set-cookie']);
}

const cookieOf = (header: string) => header.split(';')[0] ?? '';

describe('who is let in', () => {
  test('on loopback, names of other hosts are refused', async () => {
    const app = await serve();
    for (const url of ['/', '/session', '/v1/runs', '/queues/', '/queue-list']) {
      expect((await app.inject({ url, headers: { host: 'evil.example:7071' } })).statusCode).toBe(421);
      expect((await app.inject({ url, headers: LOCAL })).statusCode).not.toBe(421);
    }
  });

  test('a page of another site can neither read nor change anything', async () => {
    const app = await serve();
    const foreign = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of foreign) {
      expect((await app.inject({ url: '/v1/runs', headers: { ...LOCAL, ...headers } })).statusCode).toBe(403);
      const change = {
        method: 'POST',
        url: '/v1/runs/x/cancel',
        headers: { ...CHANGE, ...headers },
        payload: {},
      } as const;
      expect((await app.inject(change)).statusCode).toBe(403);
    }
    expect(received).toEqual([]);
  });

  test('a link from another site opens a page', async () => {
    const app = await serve();
    const headers = { ...LOCAL, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await app.inject({ url: '/runs', headers })).statusCode).not.toBe(403);
  });

  test('a change without the header that forms cannot send is refused, though it comes from here', async () => {
    const app = await serve();
    const headers = { ...LOCAL, origin: 'http://127.0.0.1:7071' };
    expect((await app.inject({ method: 'POST', url: '/v1/runs', headers, payload: {} })).statusCode).toBe(403);
    expect((await app.inject({ method: 'DELETE', url: '/session', headers })).statusCode).toBe(403);
    const meant = { ...headers, 'x-flotilla-dashboard': '1' };
    expect((await app.inject({ method: 'POST', url: '/v1/runs', headers: meant, payload: {} })).statusCode).toBe(200);
  });

  test('where other machines can reach it nobody gets in without a key, though the scheduler asks for none', async () => {
    const app = await serve({ FLOTILLA_DASHBOARD_HOST: '0.0.0.0' });
    const headers = { host: 'fleet.example' };
    expect((await app.inject({ url: '/v1/runs', headers })).statusCode).toBe(401);
    expect((await app.inject({ url: '/queue-list', headers })).statusCode).toBe(401);
    const login = {
      method: 'POST',
      url: '/session',
      headers: { ...CHANGE, ...headers },
      payload: { key: KEY },
    } as const;
    expect((await app.inject(login)).json()).toMatchObject({
      status: 403,
      detail: expect.stringMatching(/takes no keys/),
    });
  });

  test('behind a proxy it answers to the names that it is told', async () => {
    const app = await serve({ FLOTILLA_DASHBOARD_HOSTS: 'fleet.example' });
    expect((await app.inject({ url: '/session', headers: { host: 'fleet.example' } })).statusCode).toBe(200);
    expect((await app.inject({ url: '/session', headers: { host: 'evil.example' } })).statusCode).toBe(421);
    const proxied = { ...CHANGE, origin: 'https://fleet.example' };
    expect((await app.inject({ method: 'DELETE', url: '/session', headers: proxied })).statusCode).toBe(204);
  });
});

describe('a session', () => {
  test('takes the place of the key: the cookie is out of reach of scripts and other sites, and does not hold the key', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    expect((await app.inject({ url: '/v1/runs', headers: LOCAL })).statusCode).toBe(401);
    const header = await logIn(app, KEY);
    expect(header).toMatch(/HttpOnly/);
    expect(header).toMatch(/SameSite=Strict/);
    expect(header).not.toContain(KEY);
    const cookie = cookieOf(header);
    expect((await app.inject({ url: '/v1/runs?limit=1', headers: { ...LOCAL, cookie } })).statusCode).toBe(200);
    const forwarded = received.at(-1)!;
    expect(forwarded.url).toBe('/v1/runs?limit=1');
    expect(forwarded.headers).toMatchObject({ authorization: `Bearer ${KEY}` });
    expect(forwarded.headers).not.toHaveProperty('cookie');
  });

  test('is known to another dashboard of the same deployment, and to one that was started anew', async () => {
    keys = { [KEY]: SCOPES };
    const cookie = cookieOf(await logIn(await serve(), KEY));
    const other = await serve();
    expect((await other.inject({ url: '/v1/runs', headers: { ...LOCAL, cookie } })).statusCode).toBe(200);
  });

  test('leaves the key nowhere in Redis', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    await logIn(app, KEY);
    const names = await connection.client.keys(`{${namespace}}:dashboard:session:*`);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(await connection.client.get(name)).not.toContain(KEY);
  });

  test('ends with the logout', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    const cookie = cookieOf(await logIn(app, KEY));
    await app.inject({ method: 'DELETE', url: '/session', headers: { ...CHANGE, cookie } });
    expect((await app.inject({ url: '/v1/runs', headers: { ...LOCAL, cookie } })).statusCode).toBe(401);
  });

  test('is not made of a key that the scheduler does not take', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    const answer = await app.inject({
      method: 'POST',
      url: '/session',
      headers: CHANGE,
      payload: { key: 'a-wrong-key-for-it' },
    });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  test('says what its key may do', async () => {
    keys = { [READER]: ['read'] };
    const app = await serve();
    expect((await app.inject({ url: '/session', headers: LOCAL })).json()).toEqual({
      loggedIn: false,
      needsKey: true,
      scopes: [],
    });
    const cookie = cookieOf(await logIn(app, READER));
    const said = await app.inject({ url: '/session', headers: { ...LOCAL, cookie } });
    expect(said.json()).toEqual({ loggedIn: true, needsKey: false, scopes: ['read'] });
  });

  test('over https has a cookie that is sent over https only', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    expect(await logIn(app, KEY)).not.toMatch(/Secure/);
    expect(await logIn(app, KEY, { ...CHANGE, 'x-forwarded-proto': 'https' })).toMatch(/Secure/);
  });
});

describe('the Bull dashboard', () => {
  test('is shown to those who may read, and refuses every change', async () => {
    keys = { [KEY]: SCOPES };
    const app = await serve();
    expect((await app.inject({ url: '/queues/api/queues', headers: LOCAL })).statusCode).toBe(401);
    const cookie = cookieOf(await logIn(app, KEY));
    await connection.client.sadd(`{${namespace}}:queues`, 'default');
    const page = await app.inject({ url: '/queues/', headers: { ...LOCAL, cookie } });
    expect(page.statusCode).toBe(200);
    for (const action of ['pause', 'resume', 'empty', 'obliterate', 'clean/completed', 'retry/failed', 'promote']) {
      const url = `/queues/api/queues/default/${action}`;
      const answer = await app.inject({ method: 'PUT', url, headers: { ...CHANGE, cookie } });
      expect([404, 405]).toContain(answer.statusCode);
    }
  });

  test('asks for nothing from other sites and has nothing inline', async () => {
    const app = await serve({ FLOTILLA_DASHBOARD_BASE_PATH: '/fleet' });
    const { body } = await app.inject({ url: '/fleet/queues/', headers: LOCAL });
    expect(body).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    expect(body).not.toMatch(/<style|style=|<script>/);
    expect(body).toContain('<base href="/fleet/queues/"');
  });
});

describe('pages', () => {
  test('forbid everything that is not served here', async () => {
    const app = await serve();
    const { headers } = await app.inject({ url: '/', headers: LOCAL });
    expect(headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe/);
    expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' });
  });

  test.each([
    ['', undefined, '/'],
    ['/fleet', undefined, '/fleet/'],
    ['', '/ops', '/ops/'],
    ['/fleet', '/ops', '/ops/fleet/'],
    ['/fleet', '/fleet', '/fleet/'],
    ['', '/x"><script>alert(1)</script>', '/'],
    ['', '//evil.example', '/'],
  ])('under %s, behind a proxy that took off %s, have the base %s', async (basePath, prefix, base) => {
    const app = await serve({ FLOTILLA_DASHBOARD_BASE_PATH: basePath });
    const headers = { ...LOCAL, ...(prefix === undefined ? {} : { 'x-forwarded-prefix': prefix }) };
    for (const url of ['/runs', `${basePath}/runs`]) {
      const { statusCode, body } = await app.inject({ url, headers });
      // Without a build there are no pages, only their address.
      if (statusCode === 200) expect(body).toContain(`<base href="${base}" />`);
      else expect(body).toMatch(/have not been built/);
    }
  });

  test('a scheduler that does not answer is a problem that says so', async () => {
    const app = await serve({ FLOTILLA_URL: 'http://127.0.0.1:1' });
    const answer = await app.inject({ url: '/v1/runs', headers: LOCAL });
    expect(answer.json()).toMatchObject({ status: 503, code: 'SCHEDULER_UNREACHABLE' });
    expect((await app.inject({ url: '/healthz' })).json()).toEqual({ ok: true });
  });
});
