import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { agentWith, ECHO, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.app.close();
});

describe('/v1/workflows', () => {
  test('registers a definition, wrapped or plain, and answers 200 when it is there already', async () => {
    const first = await server.send('POST', '/v1/workflows', { definition: ECHO });
    expect([first.status, first.body['created'], first.body['name']]).toEqual([201, true, 'echo']);
    const again = await server.send('POST', '/v1/workflows', ECHO);
    expect([again.status, again.body['created']]).toEqual([200, false]);
    expect(again.body['definitionHash']).toBe(first.body['definitionHash']);
  });

  test('refuses another content under a version that exists', async () => {
    await server.send('POST', '/v1/workflows', { ...ECHO, version: '1.0.0' });
    const { status, problem } = await server.send('POST', '/v1/workflows', { ...ECHO, version: '1.0.0', title: 'x' });
    expect([status, problem.code]).toEqual([409, 'WORKFLOW_VERSION_CONFLICT']);
  });

  test('deletes a workflow, and again without harm', async () => {
    await server.send('POST', '/v1/workflows', ECHO);
    const first = await server.send('DELETE', '/v1/workflows/echo');
    expect([first.status, first.body]).toEqual([200, { name: 'echo', deleted: 1 }]);
    expect((await server.send('DELETE', '/v1/workflows/echo?version=1.0.0')).body).toEqual({
      ...{ name: 'echo', version: '1.0.0', deleted: 0 },
    });
    expect((await server.send('GET', '/v1/workflows/echo')).problem.code).toBe('WORKFLOW_NOT_FOUND');
  });

  test('reads a workflow by name and version, and lists all', async () => {
    await server.send('POST', '/v1/workflows', { ...ECHO, version: '1.0.0' });
    expect((await server.send('GET', '/v1/workflows/echo?version=1.0.0')).body['definition']).toMatchObject({
      name: 'echo',
    });
    expect((await server.send('GET', '/v1/workflows/echo?version=2.0.0')).problem.code).toBe('WORKFLOW_NOT_FOUND');
    expect((await server.send('GET', '/v1/workflows/nope')).problem.code).toBe('WORKFLOW_NOT_FOUND');
    expect((await server.send('GET', '/v1/workflows')).body['workflows']).toHaveLength(1);
  });

  test('starts a version that is not the latest when it is asked for by NAME@VERSION', async () => {
    await server.send('POST', '/v1/workflows', { ...ECHO, version: '1.0.0', title: 'first' });
    await server.send('POST', '/v1/workflows', { ...ECHO, version: '2.0.0', title: 'second' });
    const { status } = await server.send('POST', '/v1/runs', { workflow: 'echo@1.0.0' });
    expect(status).toBe(201);
    expect(server.api.created.at(-1)?.plan.definition.version).toBe('1.0.0');
    const missing = await server.send('POST', '/v1/runs', { workflow: 'echo@3.0.0' });
    expect(missing.problem.code).toBe('WORKFLOW_NOT_FOUND');
    for (const workflow of ['echo@', 'echo@1', '@1.0.0', 'echo@1.0.0@2.0.0']) {
      expect((await server.send('POST', '/v1/runs', { workflow })).status).toBe(400);
    }
  });

  test('reads a legacy document', async () => {
    const legacy = {
      id: '7b6f2d0e-5a0c-4f5e-9a3f-3c1f6d1c9a11',
      name: 'old',
      version: '1.0.0',
      entry: 'a',
      steps: { a: { id: 'a', name: 'A', kind: 'agent', agentId: 'writer', next: null } },
    };
    const { status, body } = await server.send('POST', '/v1/workflows', legacy);
    expect([status, body['name']]).toEqual([201, 'old']);
  });
});

describe('POST /v1/validate', () => {
  test('is content with a good definition and stores nothing', async () => {
    server.api.agents = [agentWith(['flotilla.echo'])];
    const { status, body } = await server.send('POST', '/v1/validate', { definition: ECHO });
    expect([status, body]).toEqual([200, { ok: true, problems: [] }]);
    expect(server.api.workflows.size).toBe(0);
  });

  test('warns of a handler that no worker has', async () => {
    server.api.agents = [{ ...agentWith(['flotilla.echo']), status: 'lost' }];
    const { body } = await server.send('POST', '/v1/validate', { definition: ECHO });
    expect(body).toMatchObject({ ok: true, problems: [{ code: 'HANDLER_NOT_AVAILABLE', severity: 'warning' }] });
  });

  test('tells errors with pointers into the definition', async () => {
    const definition = { ...ECHO, input: { type: 5 }, steps: { ...ECHO.steps } };
    const { body } = await server.send('POST', '/v1/validate', { definition });
    expect(body).toMatchObject({
      ok: false,
      problems: [
        { code: 'INPUT_SCHEMA_INVALID', path: '/input/type', message: expect.stringMatching(/^5 is not one of /) },
      ],
    });
  });

  test.each([null, 5, 'text', [], {}])('answers for %j too', async (definition) => {
    const { status, body } = await server.send('POST', '/v1/validate', { definition });
    expect([status, body['ok']]).toEqual([200, false]);
  });
});
