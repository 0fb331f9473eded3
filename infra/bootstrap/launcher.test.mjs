import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const launcher = fileURLToPath(new URL('../../flotilla', import.meta.url));

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla launcher '));
  mkdirSync(join(folder, 'bin'));
  for (const name of ['dirname', 'readlink']) symlinkSync(`/usr/bin/${name}`, join(folder, 'bin', name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A `node` that tells its version, and prints the arguments when it is asked to run something. */
function fakeNode(version) {
  const file = join(folder, 'bin', 'node');
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else printf '%s\\n' "$@"; fi\n`);
  chmodSync(file, 0o755);
}

function run(file, ...args) {
  const env = { PATH: join(folder, 'bin') };
  return spawnSync('/bin/sh', [file, ...args], { cwd: folder, env, encoding: 'utf8' });
}

describe('./flotilla', () => {
  test('says what to install and ends with 3 when there is no Node', () => {
    const { status, stderr, stdout } = run(launcher, 'ps');
    expect(status).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/Node 20 or later is needed[\s\S]*Install/);
  });

  test('says so and ends with 3 when Node is too old', () => {
    fakeNode('v18.19.0');
    const { status, stderr } = run(launcher, 'ps');
    expect(status).toBe(3);
    expect(stderr).toContain('v18.19.0');
  });

  test('passes all arguments on as they are, through symbolic links and from another folder', () => {
    fakeNode('v20.0.0');
    symlinkSync(launcher, join(folder, 'first'));
    symlinkSync('first', join(folder, 'second link'));
    const { status, stdout } = run(join(folder, 'second link'), 'run', 'a b.yaml', '--input', '{"x": "y z"}');
    expect(status).toBe(0);
    const entry = fileURLToPath(new URL('cli.mjs', import.meta.url));
    expect(stdout.split('\n')).toEqual([entry, 'run', 'a b.yaml', '--input', '{"x": "y z"}', '']);
  });
});
