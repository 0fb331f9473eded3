import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually, freePort, spawnNode } from './index.ts';

let dir: string;
const file = (name: string): string => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  await writeFile(
    file('ticks.mjs'),
    "console.log('ready', process.argv[2], process.env.COLOUR); setInterval(() => console.log('tick'), 20);",
  );
  await writeFile(file('ends.mjs'), "console.error('over'); process.exitCode = 3;");
  await writeFile(
    file('parent.mjs'),
    `import { spawnNode } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
     const child = await spawnNode(${JSON.stringify(file('ticks.mjs'))});
     console.log('child', child.pid);
     setInterval(() => undefined, 1000);`,
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: gone
  }
};

const stateOf = (pid: number): string => execFileSync('ps', ['-o', 'stat=', '-p', `${pid}`]).toString();

describe('spawnNode', () => {
  test('output can be waited for, also when it was already printed', async () => {
    const child = await spawnNode(file('ticks.mjs'), ['one'], { env: { COLOUR: 'red' } });
    await child.waitForLine(/^tick$/);
    expect((await child.waitForLine(/^ready (\S+) (\S+)/)).slice(1)).toEqual(['one', 'red']);
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(child.running()).toBe(false);
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('a process that ends before its line rejects with what it printed', async () => {
    const child = await spawnNode(file('ends.mjs'));
    await expect(child.waitForLine(/never/)).rejects.toThrow(/ended without printing[\s\S]*over/);
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(child.stderr()).toBe('over\n');
  });

  test('a paused process stands still until it is resumed, and can be killed', async () => {
    const child = await spawnNode(file('ticks.mjs'));
    await child.waitForLine(/^tick$/);
    child.pause();
    await eventually(() => stateOf(child.pid).startsWith('T'), { message: 'the process to be stopped' });
    const before = child.lines.length;
    child.resume();
    await eventually(() => child.lines.length > before);
    expect(await child.kill9()).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('a child of a killed process is killed as well', async () => {
    const parent = await spawnNode(file('parent.mjs'));
    const pid = Number((await parent.waitForLine(/^child (\d+)/))[1]);
    expect(isAlive(pid)).toBe(true);
    await parent.kill9();
    await eventually(() => !isAlive(pid), { message: 'the grandchild to end' });
  });
});

describe('eventually', () => {
  test('it returns what the check found', async () => {
    let calls = 0;
    const check = (): string | undefined => {
      calls += 1;
      return calls === 3 ? 'found' : undefined;
    };
    expect(await eventually(check, { intervalMs: 1 })).toBe('found');
  });

  test('it says what it waited for and why the last check failed', async () => {
    const check = (): never => {
      throw new Error('still 4');
    };
    await expect(eventually(check, { timeoutMs: 20, message: 'five' })).rejects.toThrow(
      'waited 20 ms for five: still 4',
    );
  });
});

test('a free port is above the privileged ones', async () => {
  expect(await freePort()).toBeGreaterThan(1023);
});
