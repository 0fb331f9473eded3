import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeConnection, connectRedis } from '@flotilla/redis';
import { freePort, sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { buildProgram, runCli } from './program.ts';
import { Interrupted } from './terminal.ts';
import { type FakeAnswer, type FakeScheduler, fakeScheduler, problemAnswer } from './testing/fake-scheduler.ts';
import { type FakeTerminal, fakeTerminal } from './testing/fake-terminal.ts';

const ECHO = { flotilla: 1, name: 'echo', steps: { a: { kind: 'task', use: 'flotilla.echo', input: 1 } } };
const RUN = {
  runId: '00-r1',
  workflow: 'echo',
  definitionHash: 'ab',
  status: 'succeeded',
  createdAt: 1_700_000_000_000,
  endedAt: 1_700_000_001_500,
  output: { text: 'hi' },
  tags: ['nightly'],
};
const STARTED = { runId: '00-r1', status: 'running', deduplicated: false, durability: 'fast' };
const EVENTS = [
  { seq: 0, at: 1000, type: 'run-created' },
  { seq: 1, at: 1010, type: 'attempt-started', stepId: 'a', attempt: 1, worker: 'w1' },
  { seq: 2, at: 1500, type: 'step-succeeded', stepId: 'a' },
  { seq: 3, at: 1501, type: 'run-succeeded' },
];
const AGENT = {
  agentId: 'w1',
  workerId: 'w1',
  host: 'here',
  pid: 7,
  status: 'healthy',
  version: '1',
  capabilities: ['pricing'],
  queues: ['default'],
  handlers: ['flotilla.echo', 'agent:pricing'],
  load: { running: 1, slots: 4, loopLagMs: 0 },
  startedAt: 1000,
  lastSeenAt: 5000,
};

let folder: string;
let scheduler: FakeScheduler | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-cli-'));
  await writeFile(join(folder, 'echo.json'), JSON.stringify(ECHO));
  await writeFile(join(folder, 'bad.yaml'), 'flotilla: 1\nname: bad\nsteps:\n  a: {kind: task, use: x, needs: [b]}\n');
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await scheduler?.stop();
  scheduler = undefined;
});

async function cli(args: string[], env: Record<string, string> = {}, terminal = newTerminal(env)) {
  const exitCode = await runCli(args, terminal);
  return { exitCode, stdout: terminal.stdout(), stderr: terminal.stderr(), json: () => JSON.parse(terminal.stdout()) };
}

function newTerminal(env: Record<string, string> = {}, interactive = false): FakeTerminal {
  return fakeTerminal({ cwd: folder, interactive, env: { ...(scheduler && { FLOTILLA_URL: scheduler.url }), ...env } });
}

async function serve(routes: Parameters<typeof fakeScheduler>[0]): Promise<FakeScheduler> {
  // A test may serve one after the other: each is stopped.
  await scheduler?.stop();
  scheduler = await fakeScheduler(routes);
  return scheduler;
}

function history(url: URL): FakeAnswer {
  const after = Number(url.searchParams.get('after') ?? -1);
  const events = EVENTS.filter(({ seq }) => seq > after);
  return { body: { events, next: events.at(-1)?.seq ?? after } };
}

describe('usage', () => {
  test('a variable of ours that no program reads is warned of on stderr, and the command is carried out', async () => {
    const name = `FLOTILLA_${'API_KYE'}`;
    const { exitCode, stdout, stderr } = await cli(['--help'], { [name]: 'hunter2' });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Usage: flotilla');
    expect(stderr).toBe(
      `flotilla: warning: ${name} is set, but no program reads it (did you mean FLOTILLA_API_KEY?)\n`,
    );
  });

  test('--help of the program and of every command ends with 0', async () => {
    const { exitCode, stdout } = await cli(['--help']);
    expect(exitCode).toBe(0);
    const names = [
      'up',
      'run',
      'validate',
      'register',
      'migrate',
      'import',
      'ps',
      'show',
      'history',
      'cancel',
      'agents',
      'doctor',
    ];
    for (const name of names) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
      expect((await cli([name, '--help'])).exitCode).toBe(0);
    }
    expect(stdout).toContain('Exit codes: 0 ok, 1 the run or the check failed, 2 bad usage or input, 3 cannot reach');
  });

  test.each([
    [['nonsense']],
    [['run']],
    [['show']],
    [['run', 'a', 'b']],
    [['ps', '--limit', '0']],
    [['ps', '--limit', 'x']],
    [['ps', '--status', 'odd']],
    [['import', 'wfformat', 'x', '--time-scale', '-1']],
    [['import', 'wfformat', 'x', '--time-scale', 'NaN']],
    [['up', '--workers', '-1']],
    [['up', '--port', '70000']],
    [['run', 'echo.json', '--durability', 'eternal']],
    [['ps', '--url', 'not a url']],
    [['ps', '--url', 'ftp://x']],
    [['chaos', '--leak-bytes-a-run', '1024']],
    [['chaos', '--soak', '--runs', '10']],
    [['chaos', '--soak', '--leak-bytes-a-run', '-1']],
  ])('%j is bad usage: exit code 2, said on stderr', async (args) => {
    const { exitCode, stdout, stderr } = await cli(args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^flotilla: /);
    expect(stderr).not.toMatch(/ {4}at /);
  });

  test('with --json bad usage is one JSON document as well', async () => {
    expect((await cli(['ps', '--json', '--limit', 'x'])).json()).toMatchObject({ error: { code: 'USAGE' } });
  });
});

describe('workflows', () => {
  const order = { name: 'order', version: '1.2.0', definitionHash: 'abcdef0123456789', registeredAt: 0 };

  test('are listed with the version that a run by name takes', async () => {
    await serve({
      'GET /v1/workflows': { body: { workflows: [order, { ...order, name: 'plain', version: undefined }] } },
    });
    const { exitCode, stdout } = await cli(['workflows']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^WORKFLOW +VERSION +REGISTERED +DEFINITION\norder +1\.2\.0 +1970-01-01 00:00:00Z +abcdef012345\nplain +- /,
    );
    expect((await cli(['workflows', '--json'])).json()).toMatchObject({ workflows: [order, { name: 'plain' }] });
  });

  test('are deleted by name, or one version', async () => {
    await serve({ 'DELETE /v1/workflows/order': { body: { name: 'order', deleted: 3 } } });
    expect((await cli(['workflows', 'delete', 'order'])).stdout).toBe('order deleted (3 versions); its runs go on\n');
    expect((await cli(['workflows', 'delete', 'order@1.2.0', '--json'])).json()).toEqual({ name: 'order', deleted: 3 });
  });

  test('that are not there are told with those that are', async () => {
    await serve({
      'DELETE /v1/workflows/oder': { body: { name: 'oder', deleted: 0 } },
      'GET /v1/workflows': { body: { workflows: [order] } },
    });
    const { exitCode, stderr } = await cli(['workflows', 'delete', 'oder']);
    expect([exitCode, stderr]).toEqual([2, 'flotilla: there is no workflow oder\n  did you mean order?\n']);
  });
});

describe('validate', () => {
  test('accepts a workflow', async () => {
    expect(await cli(['validate', 'echo.json'])).toMatchObject({
      exitCode: 0,
      stdout: 'echo.json is a valid workflow\n',
    });
    expect((await cli(['validate', 'echo.json', '--json'])).json()).toEqual({ ok: true, problems: [] });
  });

  test('tells problems with their paths and ends with 2', async () => {
    const { exitCode, stdout } = await cli(['validate', 'bad.yaml']);
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^line 4: \/steps\/a\/needs\/0: /);
    const { exitCode: code, json } = await cli(['validate', 'bad.yaml', '--json']);
    expect(code).toBe(2);
    expect(json()).toMatchObject({
      ok: false,
      problems: [{ code: 'UNKNOWN_STEP', path: '/steps/a/needs/0', line: 4 }],
    });
  });

  test('refuses a number that would be changed, as run does, with the line and the digits of the file', async () => {
    const text =
      'flotilla: 1\nname: big\nsteps:\n  s:\n    kind: task\n    use: flotilla.echo\n    input: { id: 7615917337495251231 }\n';
    await writeFile(join(folder, 'big.yaml'), text);
    const problem =
      'line 7: /steps/s/input/id: the number 7615917337495251231 would be changed to 7615917337495251000: send it as text\n';
    const validated = await cli(['validate', 'big.yaml']);
    expect([validated.exitCode, validated.stdout]).toEqual([2, `${problem}big.yaml has 1 problem\n`]);
    const run = await cli(['run', 'big.yaml']);
    expect([run.exitCode, run.stderr]).toEqual([
      2,
      `flotilla: big.yaml is not a YAML document that can be used\n  ${problem}`,
    ]);
  });

  test('tells what is wrong with the input schema, with its line, without a scheduler', async () => {
    const text =
      'flotilla: 1\nname: typed\ninput:\n  type: object\n  properties:\n    n: { type: nubmer }\nsteps:\n  s: { kind: delay, forMs: 1 }\n';
    await writeFile(join(folder, 'typed.yaml'), text);
    const { exitCode, stdout } = await cli(['validate', 'typed.yaml']);
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^line 6: \/input\/properties\/n\/type: nubmer is not one of .*\(did you mean number\?\)\n/);
  });

  test('a file that cannot be read is a problem like others', async () => {
    const { exitCode, json } = await cli(['validate', 'nowhere.yaml', '--json']);
    expect(exitCode).toBe(2);
    expect(json()).toEqual({
      ok: false,
      problems: [{ code: 'FILE_NOT_FOUND', path: '', message: expect.stringContaining('nowhere.yaml') }],
    });
  });

  test('--strict refuses handlers and capabilities that no living worker has', async () => {
    const steps = {
      a: { kind: 'task', use: 'flotilla.echo' },
      b: { kind: 'agent', capability: 'pricing' },
      c: { kind: 'task', use: 'nobody.has' },
      d: { kind: 'agent', capability: 'flying' },
      m: { kind: 'map', over: '[1]', each: { kind: 'task', use: 'nobody.either' } },
    };
    await writeFile(join(folder, 'strict.json'), JSON.stringify({ flotilla: 1, name: 's', steps }));
    await serve({
      'GET /v1/agents': { body: { agents: [AGENT, { ...AGENT, status: 'lost', handlers: ['nobody.has'] }] } },
    });
    const { exitCode, json } = await cli(['validate', 'strict.json', '--strict', '--json']);
    expect(exitCode).toBe(2);
    expect(
      json()
        .problems.map(({ path }: { path: string }) => path)
        .sort(),
    ).toEqual(['/steps/c/use', '/steps/d/capability', '/steps/m/each/use']);
    expect((await cli(['validate', 'strict.json'])).exitCode).toBe(0);
  });

  test('--strict without a scheduler ends with 3', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { exitCode, stderr } = await cli(['validate', 'echo.json', '--strict', '--url', url]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('flotilla up');
  }, 15_000);
});

describe('run', () => {
  const routes = {
    'POST /v1/runs': { status: 201, body: STARTED },
    'GET /v1/runs/00-r1': { body: RUN },
    'GET /v1/runs/00-r1/history': history,
  };

  test('starts the workflow in a file, with input, tags and key', async () => {
    const { requests } = await serve(routes);
    const args = ['run', 'echo.json', '--input', '{"n":1}', '--tag', 'x', '--tag', 'y', '--idempotency-key', 'k 1'];
    expect(await cli(args)).toMatchObject({ exitCode: 0, stdout: '00-r1 started\n' });
    expect(requests).toMatchObject([
      { what: 'POST /v1/runs', body: { definition: ECHO, input: { n: 1 }, tags: ['x', 'y'], idempotencyKey: 'k 1' } },
    ]);
    expect((await cli(['run', 'echo.json', '--json'])).json()).toMatchObject(STARTED);
  });

  test('starts a version of a registered workflow, and watches it by its steps', async () => {
    const definition = { steps: { a: {}, b: {} } };
    const { requests } = await serve({ ...routes, 'GET /v1/workflows/order': { body: { name: 'order', definition } } });
    const { exitCode, stdout } = await cli(['run', 'order@1.0.0', '--watch']);
    expect(exitCode).toBe(0);
    expect(requests[0]).toMatchObject({ what: 'POST /v1/runs', body: { workflow: 'order@1.0.0' } });
    expect(stdout).toContain('[1/2] a succeeded');
  });

  test('starts a registered workflow by its name', async () => {
    const { requests } = await serve(routes);
    expect((await cli(['run', 'echo'])).exitCode).toBe(0);
    expect(requests[0]?.body).toMatchObject({ workflow: 'echo' });
  });

  test('--wait --json prints runId, status and output, and nothing else', async () => {
    await serve(routes);
    const { exitCode, json, stdout } = await cli(['run', 'echo.json', '--wait', '--json']);
    expect(exitCode).toBe(0);
    expect(json()).toEqual({ runId: '00-r1', status: 'succeeded', output: { text: 'hi' } });
    expect(stdout.endsWith('}\n')).toBe(true);
  });

  test('ends with 1 when the run failed, and says why', async () => {
    const error = { type: 'non_retryable', code: 'NO_STOCK', message: 'sold\u001b[31m out', stepId: 'a' };
    const { output: _output, ...rest } = RUN;
    await serve({ ...routes, 'GET /v1/runs/00-r1': { body: { ...rest, status: 'failed', error } } });
    const failed = await cli(['run', 'echo.json', '--wait']);
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toContain('step a: NO_STOCK: sold');
    expect(failed.stdout).not.toContain('\u001b');
    expect((await cli(['run', 'echo.json', '--wait', '--json'])).json()).toEqual({
      runId: '00-r1',
      status: 'failed',
      error,
    });
  });

  test('--watch prints a line a step where nothing can be drawn', async () => {
    await serve(routes);
    const { exitCode, stdout } = await cli(['run', 'echo.json', '--watch']);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      '00-r1',
      '[1/1] a succeeded (490 ms)',
      '00-r1 succeeded after 1.5 s',
    ]);
  });

  test('--watch draws in place on a terminal', async () => {
    await serve(routes);
    const terminal = newTerminal({}, true);
    const { exitCode, stdout } = await cli(['run', 'echo.json', '--watch'], {}, terminal);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/█{5,} 1\/1/);
    expect(stdout).toContain('\u001b[?25h');
  });

  test('refuses a bad workflow and bad input before anything is sent', async () => {
    const { requests } = await serve(routes);
    const { exitCode, stderr } = await cli(['run', 'bad.yaml']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('/steps/a/needs/0');
    expect((await cli(['run', 'echo.json', '--input', '{'])).exitCode).toBe(2);
    expect((await cli(['run', 'echo.json', '--input', '@nowhere'])).exitCode).toBe(2);
    expect(requests).toEqual([]);
  });

  test.each([
    [404, 'WORKFLOW_NOT_FOUND', 2],
    [409, 'IDEMPOTENCY_CONFLICT', 2],
    [422, 'INPUT_INVALID', 2],
    [401, 'UNAUTHORIZED', 2],
    [500, 'INTERNAL', 1],
  ])('an answer %i %s ends with %i', async (status, code, expected) => {
    const problems = [{ code: 'X', path: '/input/a', message: 'must be there' }];
    await serve({ 'POST /v1/runs': problemAnswer(status, code, 'because', problems) });
    const { exitCode, json, stderr } = await cli(['run', 'echo', '--json']);
    expect(exitCode).toBe(expected);
    expect(json()).toMatchObject({ error: { code, message: 'because', problems } });
    expect(stderr).toContain('/input/a: must be there');
  });

  test('tells each problem of an answer once, although its message is the first of them', async () => {
    const problems = [
      { code: 'INPUT', path: '/input/lines', message: 'must be there' },
      { code: 'INPUT', path: '/input/customer', message: 'must be text' },
    ];
    const detail = '/input/lines: must be there (and 1 more problems)';
    await serve({ 'POST /v1/runs': problemAnswer(422, 'INPUT_INVALID', detail, problems) });
    const { stderr, json } = await cli(['run', 'echo.json', '--json']);
    expect(stderr).toBe(
      'flotilla: the input does not satisfy the schema of the workflow\n' +
        '  /input/lines: must be there\n  /input/customer: must be text\n',
    );
    expect(json()).toMatchObject({ error: { code: 'INPUT_INVALID', message: detail, problems } });
  });

  test('an interruption leaves the run alone and says how to find it', async () => {
    const { requests } = await serve({ ...routes, 'GET /v1/runs/00-r1': { body: { ...RUN, status: 'running' } } });
    const terminal = newTerminal();
    const running = cli(['run', 'echo.json', '--wait'], {}, terminal);
    while (!requests.some(({ what }) => what === 'GET /v1/runs/00-r1')) await new Promise(setImmediate);
    terminal.interrupt(new Interrupted('SIGINT'));
    const { exitCode, stderr } = await running;
    expect(exitCode).toBe(130);
    expect(stderr).toContain('flotilla show 00-r1');
    expect(requests.some(({ what }) => what.includes('cancel'))).toBe(false);
  });
});

describe('looking', () => {
  test('ps lists runs', async () => {
    await serve({ 'GET /v1/runs': { body: { runs: [RUN], cursor: 'more' } } });
    const { exitCode, stdout } = await cli(['ps']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /RUN +WORKFLOW[\s\S]*00-r1 +echo +succeeded +2023-11-14 22:13:20Z +1\.5 s[\s\S]*--cursor more/,
    );
    expect((await cli(['ps', '--json'])).json()).toEqual({ runs: [RUN], cursor: 'more' });
  });

  test('show has the run and all its steps, page after page', async () => {
    const step = { stepId: 'a', kind: 'task', status: 'succeeded', attempts: 2, lost: 1, startedAt: 1, endedAt: 31 };
    const skipped = { stepId: 'b', kind: 'task', status: 'skipped', attempts: 0, reason: 'when-false' };
    await serve({
      'GET /v1/runs/00-r1': { body: RUN },
      'GET /v1/runs/00-r1/steps': (url) =>
        url.searchParams.get('cursor') === '1'
          ? { body: { steps: [skipped] } }
          : { body: { steps: [step], cursor: '1' } },
    });
    const { stdout } = await cli(['show', '00-r1']);
    expect(stdout).toMatch(/a +task +succeeded +2 \(1 lost\) +30 ms/);
    expect(stdout).toMatch(/b +task +skipped +0 +when-false/);
    expect((await cli(['show', '00-r1', '--json'])).json()).toEqual({ run: RUN, steps: [step, skipped] });
  });

  test('show of a run of thousands of steps tells how many are in which status, and those that matter first', async () => {
    const stepOf = (index: number) => ({
      stepId: `each[${index}]`,
      kind: 'task',
      status: index === 1990 ? 'failed' : index === 1995 ? 'running' : 'succeeded',
      attempts: 1,
    });
    const steps = Array.from({ length: 2000 }, (_, index) => stepOf(index));
    await serve({
      'GET /v1/runs/00-r1': { body: { ...RUN, status: 'running' } },
      'GET /v1/runs/00-r1/steps': (url) => {
        const first = Number(url.searchParams.get('cursor') ?? 0);
        return {
          body: { steps: steps.slice(first, first + 500), ...(first < 1500 && { cursor: String(first + 500) }) },
        };
      },
    });
    const { stdout } = await cli(['show', '00-r1']);
    expect(stdout).toContain('2000 steps: 1998 succeeded, 1 failed, 1 running');
    expect(stdout).toMatch(/WHY\neach\[1990\] .*\neach\[1995\] .*\neach\[0\] /);
    expect(stdout).toContain('1800 more; --all shows every step');
    expect((await cli(['show', '00-r1', '--all'])).stdout).toContain('each[1999]');
  });

  test('show says how many cleanups have failed and are still to run', async () => {
    const cleanups = { registered: 3, left: 1, failed: 2, outcome: 'cancelled' };
    await serve({
      'GET /v1/runs/00-r1': { body: { ...RUN, status: 'cancelling', cleanups } },
      'GET /v1/runs/00-r1/steps': { body: { steps: [] } },
    });
    const { stdout } = await cli(['show', '00-r1']);
    expect(stdout).toContain('2 of 3 cleanups FAILED: ./flotilla history 00-r1 says why\n');
    expect(stdout).toContain('1 of 3 cleanups still to run\n');
  });

  test('show says which handler and queue a step waits for, and that no worker serves the queue', async () => {
    const parked = { kind: 'task', status: 'parked', attempts: 0, reason: 'no-handler', queue: 'gpu' };
    const steps = [
      { ...parked, stepId: 'a', use: 'order.charge' },
      { ...parked, stepId: 'b', use: 'agent:pricing', capability: 'pricing', queue: 'cap.pricing' },
      { stepId: 'c', kind: 'task', status: 'ready', attempts: 0, use: 'order.charge', queue: 'default' },
      { stepId: 'd', kind: 'agent', status: 'waiting', attempts: 0, use: 'agent:art', queue: 'cap.art' },
      { stepId: 'e', kind: 'task', status: 'waiting', attempts: 0, use: 'x', queue: 'gpu', needs: ['d'] },
    ];
    await serve({
      'GET /v1/runs/00-r1': { body: { ...RUN, status: 'running' } },
      'GET /v1/runs/00-r1/steps': { body: { steps } },
      'GET /v1/agents': { body: { agents: [AGENT, { ...AGENT, status: 'lost', queues: ['cap.art'] }] } },
    });
    const { stdout } = await cli(['show', '00-r1']);
    expect(stdout).toMatch(
      /a +task +parked +0 +no-handler: waits for a worker on queue gpu that has the handler order\.charge\n/,
    );
    expect(stdout).toMatch(
      /b .*no-handler: waits for a worker on queue cap\.pricing that has an agent that can do pricing\n/,
    );
    expect(stdout).toMatch(/c +task +ready +0 +waits in queue default\n/);
    expect(stdout).toMatch(/d +agent +waiting +0 +waits in queue cap\.art, which no living worker serves\n/);
    expect(stdout).toMatch(/e +task +waiting +0\n/);
  });

  test('show says so of the first step of a run, too, which is pending then', async () => {
    const steps = [{ stepId: 'a', kind: 'task', status: 'waiting', attempts: 0, use: 'x', queue: 'gpu' }];
    await serve({
      'GET /v1/runs/00-r1': { body: { ...RUN, status: 'pending' } },
      'GET /v1/runs/00-r1/steps': { body: { steps } },
      'GET /v1/agents': { body: { agents: [AGENT] } },
    });
    const { stdout } = await cli(['show', '00-r1']);
    expect(stdout).toMatch(/a +task +waiting +0 +waits in queue gpu, which no living worker serves\n/);
  });

  test('history prints the events in order', async () => {
    await serve({ 'GET /v1/runs/00-r1/history': history });
    const { stdout } = await cli(['history', '00-r1', '--limit', '2']);
    expect(stdout.split('\n')).toEqual([
      '    0    +0.000 run-created',
      '    1    +0.010 attempt-started    a on w1',
      '',
    ]);
    expect((await cli(['history', '00-r1', '--after', '1', '--json'])).json()).toEqual({ events: EVENTS.slice(2) });
  });

  test('agents lists what they can do', async () => {
    await serve({ 'GET /v1/agents': { body: { agents: [AGENT] } } });
    expect((await cli(['agents'])).stdout).toMatch(/w1 +healthy +now +here +7 +1\/4 +4\.0 s +pricing flotilla\.echo\n/);
    expect((await cli(['agents', '--json'])).json()).toEqual({ agents: [AGENT] });
    const short = { ...AGENT, load: { ...AGENT.load, limit: 2 } };
    await serve({ 'GET /v1/agents': { body: { agents: [short] } } });
    expect((await cli(['agents'])).stdout).toMatch(/w1 .* 1\/2 of 4 /);
  });

  test('agents says since when one is lost, and leaves out those lost for longer than a minute', async () => {
    const at = 1_700_000_000_000;
    const living = { ...AGENT, lastSeenAt: at };
    const lately = { ...AGENT, agentId: 'w2', status: 'lost', lastSeenAt: at - 32_000 };
    const long = { ...AGENT, agentId: 'w3', status: 'lost', lastSeenAt: at - 61_000 };
    await serve({ 'GET /v1/agents': { body: { agents: [living, lately, long] } } });
    const { stdout } = await cli(['agents']);
    expect(stdout).toMatch(/w2 +lost +2023-11-14 22:12:48Z \(32\.0 s ago\)/);
    expect(stdout).not.toContain('w3');
    expect(stdout).toMatch(/\n1 lost longer than a minute ago: --all shows them\n$/);
    expect((await cli(['agents', '--json'])).json()).toEqual({ agents: [living, lately] });
    expect((await cli(['agents', '--all'])).stdout).toMatch(/w3 +lost +2023-11-14 22:12:19Z \(1 min 1 s ago\)/);
    expect((await cli(['agents', '--all', '--json'])).json().agents).toHaveLength(3);
  });

  test('agents says so when all have been lost for long', async () => {
    await serve({ 'GET /v1/agents': { body: { agents: [{ ...AGENT, status: 'lost' }] } } });
    expect((await cli(['agents'])).stdout).toBe(
      'no agents: start workers with `./flotilla up`\n1 lost longer than a minute ago: --all shows them\n',
    );
  });

  test('cancel tells the receipt', async () => {
    const receipt = {
      ...{ runId: '00-r1', requestedAt: 1, outcome: 'cancelled', alreadyEnded: false, stoppedSteps: ['a', 'b'] },
      ...{ finishedSteps: [], lostSteps: [], released: [], compensated: [], cleanedUp: [], failedCleanups: [] },
      ...{ pendingCleanups: [], pending: [] },
    };
    await serve({ 'POST /v1/runs/00-r1/cancel': { body: { status: 'cancelled', receipt } } });
    expect((await cli(['cancel', '00-r1'])).stdout).toBe('00-r1 cancelled\nstopped: a, b\n');
    expect((await cli(['cancel', '00-r1', '--json'])).json()).toEqual({ status: 'cancelled', receipt });
  });

  test.each([['show'], ['history'], ['cancel']])('%s of a run that is not there ends with 2', async (command) => {
    await serve({});
    const { exitCode, stderr } = await cli([command, 'nope']);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^flotilla: nothing at /);
  });

  test('an API key goes along', async () => {
    const seen: string[] = [];
    await serve({ 'GET /v1/agents': { body: { agents: [] } } });
    const original = globalThis.fetch;
    globalThis.fetch = (input, init) => {
      seen.push(new Headers(init?.headers).get('authorization') ?? '');
      return original(input, init);
    };
    try {
      await cli(['agents'], { FLOTILLA_API_KEY: 'k'.repeat(20) });
    } finally {
      globalThis.fetch = original;
    }
    expect(seen).toEqual([`Bearer ${'k'.repeat(20)}`]);
  });
});

describe('documents', () => {
  test('import wfformat prints a definition, or writes it', async () => {
    await writeFile(join(folder, 'graph.json'), '{"a":["b"]}');
    const { exitCode, json } = await cli(['import', 'wfformat', 'graph.json', '--time-scale', '0']);
    expect(exitCode).toBe(0);
    expect(json()).toMatchObject({ flotilla: 1, name: 'graph', steps: { b: { use: 'flotilla.sleep', needs: ['a'] } } });
    const written = await cli(['import', 'wfformat', 'graph.json', '--out', 'graph.yaml', '--json']);
    expect(written.json()).toEqual({ file: 'graph.yaml', name: 'graph', steps: 2 });
    expect((await cli(['validate', 'graph.yaml'])).exitCode).toBe(0);
  });

  test('import wfformat refuses a cycle, a heap, and a folder that is not there', async () => {
    await writeFile(join(folder, 'cycle.json'), '{"a":["b"],"b":["a"]}');
    await writeFile(join(folder, 'heap.json'), '{"a":[],"b":[]}');
    const cycle = await cli(['import', 'wfformat', 'cycle.json', '--json']);
    expect(cycle.exitCode).toBe(2);
    expect(cycle.json().error.problems).toMatchObject([{ code: 'CYCLE' }]);
    expect((await cli(['import', 'wfformat', 'heap.json', '--json'])).json()).toMatchObject({
      error: { code: 'NO_EDGES' },
    });
    expect((await cli(['import', 'wfformat', 'graph.json', '--out', 'no/such/folder.json'])).exitCode).toBe(2);
  });

  test('migrate turns a legacy document into a definition', async () => {
    const legacy = {
      id: '00000000-0000-4000-8000-000000000001',
      name: 'old',
      version: '1.0.0',
      entry: 'wait',
      steps: { wait: { id: 'wait', name: 'Wait', kind: 'delay', input: { ms: 5 }, next: null } },
    };
    await writeFile(join(folder, 'legacy.json'), JSON.stringify(legacy));
    const { exitCode, stdout } = await cli(['migrate', 'legacy.json', '--out', 'migrated.yaml']);
    expect([exitCode, stdout]).toEqual([0, 'migrated.yaml: workflow old with 1 step\n']);
    expect((await cli(['validate', 'migrated.yaml'])).exitCode).toBe(0);
    expect((await cli(['migrate', 'echo.json'])).exitCode).toBe(2);
  });
});

describe('doctor', () => {
  const FLAGS = { 'GET /v1/flags': { body: { flags: [] } } };

  test('fails when the deployment has another partition count than this environment', async () => {
    await serve({ 'GET /readyz': { body: {} }, 'GET /v1/agents': { body: { agents: [AGENT] } }, ...FLAGS });
    const namespace = testNamespace(import.meta.url);
    const connection = connectRedis(sharedRedis().url, 'commands');
    await connection.client.hset(`{${namespace}}:deployment`, 'partitions', '16', 'epoch', 'e', 'createdAt', '1');
    await closeConnection(connection);
    const env = { REDIS_URL: sharedRedis().url, FLOTILLA_NAMESPACE: namespace };
    const checked = async (FLOTILLA_PARTITIONS: string) => {
      const { exitCode, json } = await cli(['doctor', '--json'], { ...env, FLOTILLA_PARTITIONS });
      return [exitCode, json().checks.filter(({ check }: { check: string }) => check === 'redis')];
    };
    const [exitCode, [finding]] = await checked('');
    expect(exitCode).toBe(1);
    expect(finding).toMatchObject({ state: 'fail', message: expect.stringMatching(/has 16 partitions.* is 8 here/) });
    expect(finding.advice).toContain('FLOTILLA_PARTITIONS=16');
    expect(await checked('16')).toMatchObject([0, [{ state: 'ok' }]]);
    expect(await checked('many')).toMatchObject([
      1,
      [{ state: 'fail', message: expect.stringContaining('partitions') }],
    ]);
  });

  test('says what is missing and what to do, and ends with 1', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { exitCode, json } = await cli(['doctor', '--url', url, '--json'], {
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
    });
    expect(exitCode).toBe(1);
    const { ok, checks } = json();
    expect(ok).toBe(false);
    const states = Object.fromEntries(checks.map(({ check, state }: Record<string, string>) => [check, state]));
    expect(states).toMatchObject({ node: 'ok', redis: 'fail', scheduler: 'fail' });
    for (const { state, advice } of checks) if (state === 'fail') expect(advice).toEqual(expect.any(String));
  }, 15_000);

  test('is content with a ready scheduler and a healthy worker', async () => {
    await serve({ 'GET /readyz': { body: {} }, 'GET /v1/agents': { body: { agents: [AGENT] } }, ...FLAGS });
    const { exitCode, stdout } = await cli(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok {4}scheduler/m);
    expect(stdout).toMatch(/^ok {4}workers +1 healthy/m);
    expect(stdout).toMatch(/^warn {2}redis +REDIS_URL is not set/m);
  });

  test('warns of what a scheduler that goes on says of its Redis', async () => {
    const problem = { code: 'STORAGE_REFUSING', path: '/storage', message: 'Redis uses 85 % of its maxmemory' };
    await serve({
      'GET /readyz': { body: { ok: true, problems: [problem] } },
      'GET /v1/agents': { body: { agents: [AGENT] } },
      ...FLAGS,
    });
    const { exitCode, stdout } = await cli(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^warn {2}storage +Redis uses 85 % of its maxmemory/m);
  });

  test('fails without workers', async () => {
    await serve({
      'GET /readyz': { body: {} },
      'GET /v1/agents': { body: { agents: [{ ...AGENT, status: 'lost' }] } },
      ...FLAGS,
    });
    const { exitCode, stdout } = await cli(['doctor']);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}workers +0 healthy, 1 lost/m);
  });
});

describe('up', () => {
  test('without REDIS_URL ends with 3 and says how to get one', async () => {
    const { exitCode, stderr } = await cli(['up']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/REDIS_URL is not set[\s\S]*npm start/);
  });

  test('with a port that is in use ends with 2 and names the port', async () => {
    const { url } = await serve({});
    const port = new URL(url).port;
    const { exitCode, stderr } = await cli(['up', '--port', port], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`port ${port} is in use`);
    if (process.platform === 'linux') expect(stderr).toContain(`by process ${process.pid}`);
    expect(stderr).toContain('--port');
  });

  test('with handlers that are not there, or a port that is none, ends with 2', async () => {
    const env = { REDIS_URL: 'redis://127.0.0.1:1' };
    expect((await cli(['up', '--port', '0', '--handlers', 'no.ts'], env)).exitCode).toBe(2);
    expect((await cli(['up'], { ...env, FLOTILLA_PORT: 'seven' })).exitCode).toBe(2);
  });
});

test('docs/reference/cli.md has a section for every command and names every option', async () => {
  const text = await readFile(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8');
  const sections = new Map(text.split(/^## /m).map((section) => [section.split('\n', 1)[0], section]));
  const everywhere = new Set(['--json', '--debug', '--help', '--url', '--api-key']);
  const missing: string[] = [];
  for (const command of buildProgram(newTerminal(), () => undefined).commands) {
    const section = sections.get(command.name());
    if (section === undefined) missing.push(command.name());
    for (const option of [command, ...command.commands].flatMap(({ options }) => options)) {
      if (!everywhere.has(option.long ?? '') && !section?.includes(option.long ?? '')) {
        missing.push(`${command.name()} ${option.long}`);
      }
    }
  }
  expect(missing).toEqual([]);
  for (const option of everywhere) if (option !== '--help') expect(text).toContain(option);
});
