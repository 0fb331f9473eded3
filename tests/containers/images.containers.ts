import { eventually } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Network, type StartedNetwork } from 'testcontainers';
import { Contained, type ImageName } from './contained.ts';

const KEY = 'a-key-for-the-tests-of-images';
const HEALTH_MS = 30_000;

let network: StartedNetwork;
const containers = new Map<ImageName, Contained>();
const container = (image: ImageName): Contained => containers.get(image)!;

beforeAll(async () => {
  network = await new Network().start();
  const healthEveryMs = 500;
  containers.set(
    'redis',
    await Contained.start({ image: 'redis', network, alias: 'redis', healthEveryMs, readyLine: /Ready to accept/ }),
  );
  const env = { REDIS_URL: 'redis://redis:6379', FLOTILLA_API_KEYS: KEY };
  await Promise.all(
    (['scheduler', 'worker'] as const).map(async (image) => {
      const port = image === 'scheduler' ? { port: 7070 } : {};
      const options = { image, network, env, healthEveryMs, readyLine: /"msg":"ready"/, ...port };
      containers.set(image, await Contained.start(options));
    }),
  );
}, 120_000);
afterAll(async () => {
  await Promise.all([...containers.values()].map((one) => one.remove()));
  await network.stop();
});

const waitForHealth = (image: ImageName, wanted: string) =>
  eventually(async () => (await container(image).health()) === wanted, {
    timeoutMs: HEALTH_MS,
    intervalMs: 100,
    message: `${image} to be ${wanted}`,
  });

describe.each<ImageName>(['redis', 'scheduler', 'worker'])('the image of %s', (image) => {
  test('names a user other than root, and runs with a read-only root and no capabilities', async () => {
    const { Config, HostConfig } = await container(image).inspect();
    expect(Config.User).toMatch(/^(node|redis)$/);
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
  });

  test('becomes healthy by its own check', () => waitForHealth(image, 'healthy'), HEALTH_MS + 5000);
});

describe.each<ImageName>(['scheduler', 'worker'])('the program in the image of %s', (image) => {
  test('cannot write where it lies, and has neither root nor capabilities', async () => {
    const program = `
      const fs = require('node:fs');
      const status = fs.readFileSync('/proc/1/status', 'utf8');
      const field = (name) => status.match(new RegExp('^' + name + ':\\\\s+(\\\\S+)', 'm'))[1];
      let write;
      try { write = fs.writeFileSync('/app/written', '') ?? 'written'; } catch (error) { write = error.code; }
      const found = { user: field('Uid'), effective: field('CapEff'), bounding: field('CapBnd'), write };
      process.stdout.write(JSON.stringify({ ...found, newPrivileges: field('NoNewPrivs') }));`;
    const { output, exitCode } = await container(image).run('node', '-e', program);
    expect(exitCode).toBe(0);
    const none = '0000000000000000';
    expect(JSON.parse(output)).toEqual({
      user: expect.stringMatching(/^[1-9]\d*$/),
      effective: none,
      bounding: none,
      write: expect.stringMatching(/^(EROFS|EACCES)$/),
      newPrivileges: '1',
    });
  });

  test('brings what runs, and neither sources nor tests', async () => {
    const program = `
      const fs = require('node:fs');
      const has = (path) => fs.existsSync('/app/' + path);
      process.stdout.write(JSON.stringify([
        'apps/${image}/dist/main.js', 'apps/${image}/src', 'packages/cli', 'packages/testing', 'tests', 'infra',
        'node_modules/typescript', 'node_modules/jest',
      ].filter(has)));`;
    const { output } = await container(image).run('node', '-e', program);
    expect(JSON.parse(output)).toEqual([`apps/${image}/dist/main.js`]);
  });
});

test('the API of a container wants a key', async () => {
  const url = `http://127.0.0.1:${await container('scheduler').publishedPort()}/v1/runs`;
  const statusWith = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
  expect(await statusWith({})).toBe(401);
  expect(await statusWith({ authorization: `Bearer ${KEY}` })).toBe(200);
});

test('a scheduler without keys ends with the code of a wrong configuration, and says what to set', async () => {
  const refused = await Contained.start({ image: 'scheduler', network, env: { REDIS_URL: 'redis://redis:6379' } });
  try {
    expect(await refused.exitCode()).toBe(2);
    expect(refused.lines.join('\n')).toContain('FLOTILLA_API_KEYS');
  } finally {
    await refused.remove();
  }
}, 60_000);

test('a worker that stands still is told to be unhealthy, and healthy when it goes on', async () => {
  await container('worker').kill('SIGSTOP');
  await waitForHealth('worker', 'unhealthy');
  await container('worker').kill('SIGCONT');
  await waitForHealth('worker', 'healthy');
}, 90_000);
