import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, spawnNode, within } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { SupervisedProcess } from './supervised-process.ts';

let folder: string;
const started: SupervisedProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-supervised-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop(1000)));
});

async function supervise(source: string, crashes: string[] = [], maxLogBytes = 1e6): Promise<SupervisedProcess> {
  const file = join(folder, `${started.length}.mjs`);
  await writeFile(file, source);
  const process = new SupervisedProcess({
    name: 'probe',
    args: [file],
    env: {},
    logFile: join(folder, 'logs', 'probe.log'),
    maxLogBytes,
    onCrash: ({ how, pauseMs }) => crashes.push(`${how}, again in ${pauseMs} ms`),
  });
  started.push(process);
  return process;
}

/** A program that ends with a code once there is a file: not before the test is ready for it, however slow that is. */
function untilThere(file: string, code: number): string {
  return `import { existsSync } from 'node:fs';
    setInterval(() => { if (existsSync(${JSON.stringify(file)})) process.exit(${code}); }, 20);`;
}

test('what a process says is in its log, and its end is told with its code', async () => {
  const process = await supervise('console.log("out"); console.error("err"); process.exitCode = 2;');
  expect(await within(process.ended, 5000, 'the end')).toEqual({ how: 'ended with code 2', code: 2 });
  expect(await process.lastLines()).toEqual(['out', 'err']);
});

test('what the process of that name said before is kept, also while it still writes', async () => {
  const former = await supervise(
    'console.log("first"); process.stdin.once("end", () => console.log("last")).resume();',
  );
  await eventually(async () => (await readFile(former.logFile, 'utf8')).includes('first'));
  const process = await supervise('console.log("second");');
  process.letEnd();
  await within(process.ended, 5000, 'the end');
  await former.stop(1000);
  expect(await process.lastLines()).toEqual(['second']);
  expect(await readFile(join(folder, 'logs', 'probe.previous.log'), 'utf8')).toMatch(/^first/);
});

test('a log beyond its bound moves to NAME.1.log while its process goes on writing, and no line is torn', async () => {
  const process = await supervise(
    'let line = 0; setInterval(() => { for (let i = 0; i < 20; i += 1) console.log(`line ${(line += 1)}`); }, 10);',
    [],
    2000,
  );
  const former = join(folder, 'logs', 'probe.1.log');
  await eventually(async () => (await readFile(former, 'utf8').catch(() => '')).length > 2000, { timeoutMs: 20_000 });
  await eventually(async () => (await process.lastLines()).length > 1, { timeoutMs: 20_000 });
  await process.stop(1000);
  const lines = `${await readFile(former, 'utf8')}${await readFile(process.logFile, 'utf8')}`.trimEnd().split('\n');
  expect(lines.filter((line) => !/^line \d+$/.test(line))).toEqual([]);
}, 60_000);

test('a process that crashes is started again, with a new id', async () => {
  const crashes: string[] = [];
  const process = await supervise('setInterval(() => {}, 1000); console.log("up", process.pid);', crashes);
  process.keepUp();
  const first = process.pid!;
  globalThis.process.kill(first, 'SIGKILL');
  await eventually(() => process.pid !== undefined && process.pid !== first, { message: 'the restart' });
  expect(crashes).toEqual(['was ended by SIGKILL, again in 500 ms']);
  await eventually(async () => (await readFile(process.logFile, 'utf8')).includes(`up ${process.pid}`));
});

test('a process that may end is not started again, and nobody is told of a crash', async () => {
  const crashes: string[] = [];
  const gate = join(folder, 'may-end');
  const process = await supervise(untilThere(gate, 0), crashes);
  process.keepUp();
  process.letEnd();
  await writeFile(gate, '');
  expect(await within(process.ended, 5000, 'the end')).toEqual({ how: 'ended with code 0', code: 0 });
  expect(crashes).toEqual([]);
});

test('a scheduler that has lost its data is not started again', async () => {
  const crashes: string[] = [];
  const gate = join(folder, 'data-lost');
  const process = await supervise(untilThere(gate, 74), crashes);
  process.keepUp();
  await writeFile(gate, '');
  expect(await within(process.ended, 5000, 'the end')).toEqual({ how: 'ended with code 74', code: 74 });
  expect(crashes).toEqual([]);
});

test('a process that does not stay up is started again ever more slowly, and is not given up', async () => {
  const crashes: string[] = [];
  const process = await supervise('process.exit(7)', crashes);
  process.keepUp();
  await eventually(() => crashes.length === 4, { timeoutMs: 20_000, message: 'the fourth crash' });
  expect(crashes).toEqual([500, 1000, 2000, 4000].map((pauseMs) => `ended with code 7, again in ${pauseMs} ms`));
  expect(await Promise.race([process.ended, 'not given up'])).toBe('not given up');
}, 30_000);

test('before the fleet is ready, a process that a step has ended is started again', async () => {
  const crashes: string[] = [];
  const process = await supervise('process.exit(0)', crashes);
  await eventually(() => crashes.length === 2, { timeoutMs: 10_000, message: 'the second crash' });
  await process.stop(1000);
}, 30_000);

test.each([2, 3])(
  'before the fleet is ready, a process that is set up wrong (%d) is given up at once',
  async (code) => {
    const crashes: string[] = [];
    const process = await supervise(`process.exit(${code})`, crashes);
    expect(await within(process.ended, 5000, 'the end')).toEqual({ how: `ended with code ${code}`, code });
    expect(crashes).toEqual([]);
  },
);

test('stopping asks first, waits for the end, and can be done twice', async () => {
  const process = await supervise(
    'process.on("SIGTERM", () => { console.log("drained"); process.exit(0); }); setInterval(() => {}, 1000); console.log("up");',
  );
  process.keepUp();
  await eventually(async () => (await process.lastLines()).includes('up'));
  await Promise.all([process.stop(5000), process.stop(5000)]);
  expect(await process.lastLines()).toEqual(['up', 'drained']);
  expect(process.pid).toBeUndefined();
});

test('a process that does not drain is killed after its grace time', async () => {
  const process = await supervise('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");');
  await eventually(async () => (await process.lastLines()).includes('up'));
  await process.stop(50);
  expect(await process.ended).toMatchObject({ how: 'was ended by SIGKILL' });
});

test('stopping between a crash and the restart starts nothing again', async () => {
  const crashes: string[] = [];
  const process = await supervise('process.exit(1)', crashes);
  process.keepUp();
  await eventually(() => crashes.length === 1);
  await within(process.stop(1000), 2000, 'the stop');
  expect(process.pid).toBeUndefined();
});

test('a child whose parent is killed ends by itself', async () => {
  const child = join(folder, 'child.mjs');
  await writeFile(child, 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000);');
  const parent = join(folder, 'parent.mjs');
  await writeFile(
    parent,
    `import { spawn } from 'node:child_process';
     const child = spawn(process.execPath, [process.argv[2], process.argv[3]], { stdio: ['pipe', 'ignore', 'ignore'] });
     child.once('spawn', () => console.log('child', child.pid));
     setInterval(() => {}, 1000);`,
  );
  const preload = `--import=${join(import.meta.dirname, 'end-with-parent.ts')}`;
  const process = await spawnNode(parent, [preload, child]);
  const [, pid] = await process.waitForLine(/^child (\d+)$/);
  await process.kill9();
  await eventually(() => !lives(Number(pid)), { message: 'the end of the child' });
});

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
