import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { plainName, readImportFile } from './read-import-file.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-import-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('reads plain and gzipped JSON, by content and not by name', async () => {
  await writeFile(join(folder, 'plain.gz'), '{"a":["b"]}');
  await writeFile(join(folder, 'packed.json'), gzipSync('{"a":["b"]}'));
  await expect(readImportFile('plain.gz', folder)).resolves.toEqual({ a: ['b'] });
  await expect(readImportFile('packed.json', folder)).resolves.toEqual({ a: ['b'] });
});

test.each([
  ['bomb.gz', () => gzipSync(Buffer.alloc(80 * 1024 * 1024, ' ')), 'FILE_TOO_LARGE'],
  ['cut.gz', () => gzipSync('{"a":["b"]}').subarray(0, 15), 'FILE_BINARY'],
  ['empty.json', () => Buffer.alloc(0), 'FILE_EMPTY'],
  ['twice.json', () => Buffer.from('{"a":["b"],"a":["c"]}'), 'DUPLICATE_KEY'],
  ['proto.json', () => Buffer.from('{"__proto__":["b"]}'), 'JSON_FORBIDDEN_KEY'],
  ['deep.json', () => Buffer.from('['.repeat(5000) + ']'.repeat(5000)), 'JSON_TOO_DEEP'],
])('refuses %s', async (name, content, code) => {
  await writeFile(join(folder, name), content());
  await expect(readImportFile(name, folder)).rejects.toMatchObject({ code, exitCode: 2 });
});

test('the plain name of a file has no folder and no extensions', () => {
  expect(plainName('a/b/montage.json.gz')).toBe('montage');
  expect(plainName('x.JSON')).toBe('x');
});
