import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ownDir } from './project-paths.mjs';
import { programEnvironment } from './run-command.mjs';

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
