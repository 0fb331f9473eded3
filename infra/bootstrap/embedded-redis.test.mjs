import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { announceOn } from './announce.mjs';
import { runningRedis, startEmbeddedRedis } from './embedded-redis.mjs';
import { freePort } from './free-port.mjs';
import { isAlive } from './process-identity.mjs';
import { answersPing, askRedis } from './redis-wire.mjs';

announceOn({ write: () => true });

const fixture = fileURLToPath(new URL('hold-redis.fixture.mjs', import.meta.url));
const deadlineMs = 15_000;

let folder;
let holders;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla embedded redis '));
  holders = [];
});

afterEach(async () => {
  for (const holder of holders) if (holder.exitCode === null && holder.signalCode === null) holder.kill('SIGTERM');
  await Promise.all(holders.map((holder) => holder.ended));
  const { serverPid } = record() ?? {};
  if (serverPid !== undefined && isAlive(serverPid)) process.kill(serverPid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const data = () => join(folder, 'data');
const start = () => startEmbeddedRedis({ data: data(), logs: join(folder, 'logs') });

function record() {
  const file = join(data(), 'owner.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** A process of its own that starts the Redis of this folder and holds it. */
async function hold() {
  const holder = spawn(process.execPath, [fixture, folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  holders.push(holder);
  holder.ended = new Promise((resolve) => holder.once('close', resolve));
  let output = '';
  holder.stderr.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const line = await new Promise((resolve, reject) => {
    holder.stdout.setEncoding('utf8').once('data', resolve);
    holder.once('close', () => reject(new Error(`the holder ended: ${output}`)));
  });
  return { holder, ...JSON.parse(line), said: () => output };
}

async function until(condition, what) {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the embedded Redis', () => {
  test('listens on loopback with the settings that durability needs, and keeps its data over a restart', async () => {
    const first = await start();
    const config = async (name) => (await askRedis(first.port, ['CONFIG', 'GET', name])).split('\r\n')[4];
    expect(await config('appendonly')).toBe('yes');
    expect(await config('appendfsync')).toBe('everysec');
    expect(await config('maxmemory-policy')).toBe('noeviction');
    expect(await config('save')).toBe('');
    expect(await config('bind')).toBe('127.0.0.1');
    expect(await config('hash-max-listpack-value')).toBe('512');
    expect(Number(await config('maxmemory'))).toBeGreaterThan(0);
    expect(await askRedis(first.port, ['FLUSHALL'])).toMatch(/^-NOPERM/);
    await askRedis(first.port, ['SET', 'kept', 'yes']);
    await first.stop();
    expect(await answersPing(first.port)).toBe(false);
    expect(record()).toBeUndefined();
    const second = await start();
    expect(await askRedis(second.port, ['GET', 'kept'])).toBe('$3\r\nyes\r\n');
    await second.stop();
  });

  test('is shared with a second command of the same project, which leaves it running', async () => {
    const { port } = await hold();
    const second = await start();
    expect(second).toMatchObject({ port, reused: true });
    await second.stop();
    expect(await answersPing(port)).toBe(true);
    expect(await runningRedis(data())).toMatchObject({ port });
  });

  test('ends by itself, in order, when its owner is killed', async () => {
    const { holder, port } = await hold();
    await askRedis(port, ['SET', 'kept', 'yes']);
    holder.kill('SIGKILL');
    await until(async () => !(await answersPing(port)), 'Redis has ended');
    await until(
      () => readFileSync(join(folder, 'logs', 'redis.log'), 'utf8').includes('bye bye'),
      'Redis has said bye',
    );
    const next = await start();
    expect(next.reused).toBe(false);
    expect(await askRedis(next.port, ['GET', 'kept'])).toBe('$3\r\nyes\r\n');
    await next.stop();
  });

  test('is stopped by the next start when its owner and the watchdog were killed', async () => {
    mkdirSync(data(), { recursive: true });
    const orphanPort = await freePort();
    const orphan = spawn(
      process.env.FLOTILLA_REDIS_SERVER ?? 'redis-server',
      ['--port', `${orphanPort}`, '--dir', data(), '--save', ''],
      {
        stdio: 'ignore',
        env: { ...process.env, LD_LIBRARY_PATH: process.env.FLOTILLA_REDIS_LIBRARY_PATH ?? '' },
      },
    );
    await until(() => answersPing(orphanPort), 'the orphan answers');
    const deadOwner = { ownerPid: 2 ** 22 + 1, ownerIdentity: 'gone', serverPid: orphan.pid, port: orphanPort };
    writeFileSync(join(data(), 'owner.json'), JSON.stringify(deadOwner));
    const redis = await start();
    expect(redis.reused).toBe(false);
    expect(await answersPing(orphanPort)).toBe(false);
    expect(isAlive(orphan.pid)).toBe(false);
    await redis.stop();
  });

  test('ignores the record of an owner whose process id now belongs to somebody else', async () => {
    mkdirSync(data(), { recursive: true });
    const stale = {
      ownerPid: process.pid,
      ownerIdentity: 'another start',
      serverPid: process.pid,
      serverIdentity: 'another start',
      port: 1,
    };
    writeFileSync(join(data(), 'owner.json'), JSON.stringify(stale));
    const redis = await start();
    expect(redis.reused).toBe(false);
    await redis.stop();
  });

  test('is started again on the same port when it is killed', async () => {
    const { port, said } = await hold();
    await askRedis(port, ['SET', 'kept', 'yes']);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { serverPid } = record();
    process.kill(serverPid, 'SIGKILL');
    await until(() => record()?.serverPid !== serverPid && answersPing(port), 'Redis answers again');
    expect(await askRedis(port, ['GET', 'kept'])).toBe('$3\r\nyes\r\n');
    expect(said()).toContain('starting it again on the same port');
  });

  test('tells why it does not start, with the end of the log, and leaves no record', async () => {
    mkdirSync(join(data(), 'appendonlydir'), { recursive: true });
    writeFileSync(join(data(), 'appendonlydir', 'appendonly.aof.manifest'), 'this is no manifest\n');
    await expect(start()).rejects.toMatchObject({
      name: 'SetupProblem',
      message: expect.stringMatching(/did not start[\s\S]*manifest/),
    });
    expect(record()).toBeUndefined();
  });
});
