import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually, freePort, type StartedProcess, sharedRedis, spawnNode, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../../../..');
const main = join(root, 'packages/cli/src/main.ts');

let logs: string;

beforeAll(async () => {
  logs = await mkdtemp(join(tmpdir(), 'flotilla-up-'));
});
afterAll(() => rm(logs, { recursive: true }));

/** The command as users run it, with a Redis of the tests. */
async function flotilla(args: readonly string[], env: Record<string, string> = {}): Promise<StartedProcess> {
  const REDIS_URL = sharedRedis().url;
  return spawnNode(main, args, {
    cwd: root,
    env: {
      REDIS_URL,
      FLOTILLA_LOGS: logs,
      FLOTILLA_NAMESPACE: testNamespace(import.meta.url),
      FLOTILLA_DASHBOARD_PORT: '0',
      ...env,
    },
  });
}

test('up --demo --once runs the Montage graph with three workers, shows how it went, and ends with 0', async () => {
  const up = await flotilla(['up', '--demo', '--once', '--port', '0']);
  expect(await up.exited).toMatchObject({ code: 0 });
  expect(up.stdout()).toMatch(/Ready: a scheduler and 3 workers/);
  expect(up.stdout()).toMatch(/58 tasks, 114 edges/);
  expect(up.stdout()).toMatch(/\[58\/58\] mViewer_ID0000058 succeeded/);
  expect(up.stdout()).toMatch(/ succeeded after \d+\.\d s/);
  expect(up.stdout()).toMatch(/\d+ +\+\d+\.\d{3} run-succeeded/);
  expect(up.stderr()).toBe('');
}, 60_000);

test('up serves until SIGTERM, with the handlers of two modules, and takes its processes with it', async () => {
  const port = await freePort();
  const handlers = 'examples/order-fulfilment/src/handlers.ts, examples/first-workflow/src/handlers.ts';
  const up = await flotilla(['up', '--workers', '1', '--port', String(port), '--handlers', handlers]);
  await up.waitForLine(/Serving until Ctrl-C/, 30_000);
  const dashboard = /Dashboard +(http:\/\/127\.0\.0\.1:\d+)/.exec(up.stdout())?.[1];
  expect(await (await fetch(`${dashboard}/healthz`)).json()).toEqual({ ok: true });
  const env = { FLOTILLA_URL: `http://127.0.0.1:${port}` };
  expect(up.stdout().split('\n')).toContain(`  export FLOTILLA_URL=${env.FLOTILLA_URL}`);
  const input = '@examples/order-fulfilment/large-order.json';
  const run = await flotilla(
    ['run', 'examples/order-fulfilment/src/workflow.ts', '--input', input, '--wait', '--json'],
    env,
  );
  expect(await run.exited).toMatchObject({ code: 0 });
  expect(JSON.parse(run.stdout())).toMatchObject({ status: 'succeeded', output: { charged: 1350 } });
  const invoice = await flotilla(
    [
      'run',
      'examples/first-workflow/invoice.yaml',
      '--input',
      '@examples/first-workflow/order.json',
      '--wait',
      '--json',
    ],
    env,
  );
  expect(await invoice.exited).toMatchObject({ code: 0 });
  up.signal('SIGTERM');
  expect(await up.exited).toMatchObject({ code: 0 });
  const show = await flotilla(['ps'], env);
  expect(await show.exited).toMatchObject({ code: 3 });
}, 60_000);

test('a second up in the same clone leaves the logs of the first alone and says where its own are', async () => {
  const args = ['up', '--workers', '0', '--no-dashboard'];
  const first = await flotilla([...args, '--port', String(await freePort())]);
  await first.waitForLine(/Serving until Ctrl-C/, 60_000);
  const before = await readFile(join(logs, 'scheduler.log'), 'utf8');
  const second = await flotilla([...args, '--once', '--port', '0'], {
    FLOTILLA_NAMESPACE: testNamespace(import.meta.url),
  });
  expect(await second.exited).toMatchObject({ code: 0 });
  expect(second.stdout()).toContain(`their logs are in ${join(logs, 'fleet-2')}`);
  expect((await readFile(join(logs, 'scheduler.log'), 'utf8')).startsWith(before)).toBe(true);
  first.signal('SIGTERM');
  expect(await first.exited).toMatchObject({ code: 0 });
}, 120_000);

describe('up beside steps that go wrong', () => {
  const handlers = join(root, 'tests/integration/fixtures/stray-errors.ts');
  const guilty = (way: string) => ({
    definition: { flotilla: 1, name: 'guilty', steps: { guilty: { kind: 'task', use: 'strays', input: { way } } } },
  });
  const post = async (port: number, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(201);
  };

  test('starts while steps that end their process wait in the queue, and serves on while they do', async () => {
    const FLOTILLA_NAMESPACE = testNamespace(import.meta.url);
    const port = await freePort();
    const args = ['--port', String(port), '--handlers', handlers];
    const former = await flotilla(['up', '--workers', '0', ...args], { FLOTILLA_NAMESPACE });
    await former.waitForLine(/Serving until Ctrl-C/, 60_000);
    for (let run = 0; run < 10; run += 1) await post(port, guilty('exits'));
    former.signal('SIGTERM');
    expect(await former.exited).toMatchObject({ code: 0 });
    const up = await flotilla(['up', '--workers', '2', ...args], { FLOTILLA_NAMESPACE });
    await up.waitForLine(/^worker-\d ended with code 0; starting it again in 0.5 s/, 60_000);
    await up.waitForLine(/Serving until Ctrl-C/, 60_000);
    up.signal('SIGTERM');
    expect(await up.exited).toMatchObject({ code: 0 });
    expect(up.stderr()).toBe('');
  }, 180_000);

  test('stays up with handlers that leak rejections, and none of its processes ends', async () => {
    const port = await freePort();
    const up = await flotilla(['up', '--workers', '1', '--port', String(port), '--handlers', handlers]);
    await up.waitForLine(/Serving until Ctrl-C/, 60_000);
    for (let run = 0; run < 30; run += 1) await post(port, guilty('rejects-afterwards'));
    await eventually(async () => (await readFile(join(logs, 'worker-1.log'), 'utf8')).includes('escaped its handler'), {
      timeoutMs: 30_000,
    });
    up.signal('SIGTERM');
    expect(await up.exited).toMatchObject({ code: 0 });
    expect(up.stdout()).not.toMatch(/starting it again/);
  }, 120_000);
});

test('up whose workers cannot load their handlers ends with 2 and the reason', async () => {
  const up = await flotilla(['up', '--port', '0', '--workers', '1', '--handlers', 'package.json']);
  expect(await up.exited).toMatchObject({ code: 2 });
  expect(up.stderr()).toMatch(/worker-1 ended with code 2[\s\S]*handlers cannot be used/i);
}, 60_000);

test('up --no-dashboard starts none and names none', async () => {
  const up = await flotilla(['up', '--once', '--port', '0', '--workers', '1', '--no-dashboard']);
  expect(await up.exited).toMatchObject({ code: 0 });
  expect(up.stdout()).not.toMatch(/Dashboard/);
}, 60_000);

test('up whose dashboard would get a port that is in use ends with 2 and says how to choose another', async () => {
  const holder = createServer();
  await new Promise<void>((listening) => holder.listen(0, '127.0.0.1', listening));
  const { port } = holder.address() as AddressInfo;
  const up = await flotilla(['up', '--once', '--port', '0', '--dashboard-port', String(port)]);
  expect(await up.exited).toMatchObject({ code: 2 });
  expect(up.stderr()).toMatch(/in use[\s\S]*--dashboard-port/);
  await new Promise((closed) => holder.close(closed));
}, 60_000);
