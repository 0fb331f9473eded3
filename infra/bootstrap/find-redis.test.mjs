import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { announceOn } from './announce.mjs';
import { findOrFetchRedis, findRedis } from './find-redis.mjs';

announceOn({ write: () => true });

let folder;
let env;
const systemPath = '/usr/bin:/bin'; // for sh, inside the fake programs

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla find redis '));
  env = { PATH: `${join(folder, 'one')}:${join(folder, 'two')}`, FLOTILLA_ALLOW_INSTALL: '0' };
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that answers --version with that text. */
function program(path, versionLine, exitCode = 0) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nPATH=${systemPath}\necho '${versionLine}'\nexit ${exitCode}\n`);
  chmodSync(file, 0o755);
  return file;
}

const tools = () => join(folder, 'tools');
const find = (overrides = {}) =>
  findRedis({ env: { ...env, ...overrides }, tools: tools(), quiet: true, prefixes: [join(folder, 'brew')] });

function unpackedTool(versionLine) {
  const path = program('tools/redis/usr/bin/redis-server', versionLine);
  writeFileSync(
    join(tools(), 'redis', 'tool.json'),
    JSON.stringify({ server: 'usr/bin/redis-server', libraries: ['usr/lib'] }),
  );
  return path;
}

describe('the search for a Redis server', () => {
  test('finds nothing where there is nothing', async () => {
    expect(await find()).toBeUndefined();
  });

  test('takes redis-server from PATH before valkey-server, wherever on PATH they are', async () => {
    program('one/valkey-server', 'Valkey server v=8.0.1');
    const path = program('two/redis-server', 'Redis server v=7.0.15');
    expect(await find()).toEqual({ path, version: '7.0.15', origin: 'found on PATH' });
  });

  test('passes over a server that is too old and takes the next', async () => {
    program('one/redis-server', 'Redis server v=6.2.14');
    const path = program('two/valkey-server', 'Valkey server v=7.2.5');
    expect((await find()).path).toBe(path);
  });

  test('passes over a program that does not run', async () => {
    program('one/redis-server', 'cannot load a library', 127);
    const path = program('two/redis-server', 'Redis server v=7.4.0');
    expect((await find()).path).toBe(path);
  });

  test('takes PATH before the unpacked one, and the unpacked one before Homebrew', async () => {
    const brewed = program('brew/opt/redis/bin/redis-server', 'Redis server v=8.0.0');
    expect((await find()).path).toBe(brewed);
    const unpacked = unpackedTool('Redis server v=7.0.15');
    expect(await find()).toMatchObject({ path: unpacked, libraryPath: join(tools(), 'redis', 'usr/lib') });
    const onPath = program('one/redis-server', 'Redis server v=7.0.1');
    expect((await find()).path).toBe(onPath);
  });

  test('takes the program that FLOTILLA_REDIS_SERVER names before all others', async () => {
    program('one/redis-server', 'Redis server v=7.0.1');
    const named = program('elsewhere/my-redis', 'Redis server v=7.2.0');
    expect((await find({ FLOTILLA_REDIS_SERVER: named })).path).toBe(named);
  });

  test('refuses a FLOTILLA_REDIS_SERVER that is too old rather than taking another one quietly', async () => {
    program('one/redis-server', 'Redis server v=7.0.1');
    const named = program('elsewhere/my-redis', 'Redis server v=5.0.0');
    await expect(find({ FLOTILLA_REDIS_SERVER: named })).rejects.toThrow(
      /version 5\.0\.0, and 7\.0 or later is needed/,
    );
  });

  test('says exactly what to install when nothing is found and nothing can be fetched', async () => {
    const search = findOrFetchRedis({ env, tools: tools(), prefixes: [] });
    await expect(search).rejects.toMatchObject({ name: 'SetupProblem', exitCode: 3 });
    await expect(findOrFetchRedis({ env, tools: tools(), prefixes: [] })).rejects.toThrow(
      /apt-get install redis-server[\s\S]*brew install redis/,
    );
  });

  test('uses a Docker image that is there already and fetches none without being allowed to', async () => {
    program('one/docker', 'Redis server v=7.4.2');
    const server = await findOrFetchRedis({ env, tools: tools(), prefixes: [] });
    expect(server).toMatchObject({ origin: 'in a Docker container', version: '7.4.2' });
    const absent = join(folder, 'two');
    rmSync(join(folder, 'one'), { recursive: true });
    mkdirSync(absent, { recursive: true });
    // `image inspect` fails: there is no image
    const file = join(absent, 'docker');
    writeFileSync(file, '#!/bin/sh\ncase "$1" in image) exit 1;; pull) echo pulled > "$0.pulled";; esac\n');
    chmodSync(file, 0o755);
    await expect(findOrFetchRedis({ env, tools: join(folder, 'other'), prefixes: [] })).rejects.toThrow(
      /no usable Redis/,
    );
    expect(() => rmSync(`${file}.pulled`)).toThrow(/ENOENT/);
  });
});
