import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { ownDir } from './project-paths.mjs';
import { programEnvironment } from './run-command.mjs';
import { startsProcesses } from './run-with-redis.mjs';

const here = dirname(fileURLToPath(import.meta.url));

describe('what a program of the project is started with', () => {
  test('is Node 24 first on the PATH', () => {
    const { PATH } = programEnvironment('/tools/bin/node', { PATH: '/usr/bin' });
    expect(PATH).toMatch(/^\/tools\/bin:.*:\/usr\/bin$/);
  });

  test('is a folder of the project for compiled code, unless the user has named one', () => {
    expect(programEnvironment('/node', {})['NODE_COMPILE_CACHE']).toBe(join(ownDir, 'compile-cache'));
    expect(programEnvironment('/node', { NODE_COMPILE_CACHE: '/mine' })['NODE_COMPILE_CACHE']).toBe('/mine');
  });
});

describe('a program that ends together with the launcher', () => {
  test.each(['plain', 'c#', '100%', 'a?b', 'ü ☕'])(
    'drains and ends when that is killed, in a folder named %s',
    async (name) => {
      const folder = join(mkdtempSync(join(tmpdir(), 'flotilla-launch-')), name);
      mkdirSync(folder);
      cpSync(here, join(folder, 'bootstrap'), { recursive: true });
      const drained = join(folder, 'drained');
      const program = join(folder, 'program.mjs');
      writeFileSync(
        program,
        `import { writeFileSync } from 'node:fs';
       process.on('SIGTERM', () => { writeFileSync(${JSON.stringify(drained)}, ''); process.exit(0); });
       setInterval(() => undefined, 1000);
       console.log('ready');`,
      );
      const launcher = spawn(process.execPath, [join(folder, 'bootstrap', 'launch-and-wait.fixture.mjs'), program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(launcher.stdout, 'data');
      // The program writes to the same pipe: it closes when both have ended.
      const ended = once(launcher.stdout, 'close');
      launcher.kill('SIGKILL');
      await ended;
      rmSync(drained); // it was there: the program had been told, not cut off
      rmSync(dirname(folder), { recursive: true });
    },
  );

  test('is every command that starts processes of its own', () => {
    expect([['up'], ['--debug', 'up'], ['chaos'], ['bench'], ['ps'], ['run', 'up'], []].map(startsProcesses)).toEqual([
      ...[true, true, true, true, false, false, false],
    ]);
  });
});
