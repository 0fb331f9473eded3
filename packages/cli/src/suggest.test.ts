import { afterEach, describe, expect, test } from '@jest/globals';
import { buildProgram } from './program.ts';
import { commandMeant } from './suggest.ts';
import { commandLine } from './testing/command-line.ts';
import { problemAnswer } from './testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

describe('an unknown command', () => {
  test.each([
    ['hist', 'history'],
    ['regster', 'register'],
    ['list', 'ps'],
    ['log', 'logs'],
    ['deploy', 'register'],
    ['stop', 'cancel'],
  ])('%s is answered with %s', async (word, command) => {
    const { exitCode, stderr } = await shell.run([word]);
    expect(exitCode).toBe(2);
    expect(stderr).toBe(`flotilla: unknown command '${word}'\n(Did you mean ${command}?)\n`);
  });

  test.each(['xyzzy', 'constructor'])('%s is answered with where the commands are listed', async (word) => {
    expect((await shell.run([word])).stderr).toContain('./flotilla --help');
  });

  test('is only ever answered with commands that there are', () => {
    const names = new Set(buildProgram(shell.terminal(), () => undefined).commands.map((command) => command.name()));
    for (const word of [
      'deploy',
      'start',
      'list',
      'status',
      'log',
      'stop',
      'workers',
      'dev',
      'lint',
      'health',
      'benchmark',
    ])
      expect(names).toContain(commandMeant(word));
  });
});

describe('an unknown workflow', () => {
  const refusal = problemAnswer(404, 'WORKFLOW_NOT_FOUND', 'there is no workflow invioce');
  const withNames = (...names: string[]) => ({
    'POST /v1/runs': refusal,
    'GET /v1/workflows': {
      body: { workflows: names.map((name) => ({ name, definitionHash: 'ab', registeredAt: 1 })) },
    },
  });

  test('is answered with the registered one that was meant', async () => {
    await shell.serve(withNames('order', 'invoice'));
    const { exitCode, stderr } = await shell.run(['run', 'invioce']);
    expect(exitCode).toBe(2);
    expect(stderr).toBe('flotilla: there is no workflow invioce\n  did you mean invoice?\n');
    expect((await shell.run(['run', 'invioce', '--json'])).json()).toMatchObject({
      error: { code: 'WORKFLOW_NOT_FOUND', hint: 'did you mean invoice?' },
    });
  });

  test('is answered with those that there are, or with how to register one', async () => {
    await shell.serve(withNames('a', 'b'));
    expect((await shell.run(['run', 'invioce'])).stderr).toContain(
      'there are a, b; register one with: ./flotilla register',
    );
    await shell.serve(withNames());
    expect((await shell.run(['run', 'invioce'])).stderr).toContain('  register one with: ./flotilla register FILE');
  });

  test('is told all the same when the workflows cannot be listed', async () => {
    await shell.serve({ 'POST /v1/runs': refusal });
    expect((await shell.run(['run', 'invioce'])).stderr).toContain('there is no workflow invioce');
  });
});
