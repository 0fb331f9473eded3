import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { LUA_FILES } from './lua-source.ts';
import { LUA_FILE_NAMES, parseLuaFile } from './testing/lua-files.ts';

const files = LUA_FILE_NAMES.map(parseLuaFile);

describe('the Lua files', () => {
  test.each(files)('$name says in its first line which files it needs', ({ name, text, needs, freeNames }) => {
    const definers = freeNames.map(
      (free) => files.find(({ definedNames }) => definedNames.includes(free))?.name ?? free,
    );
    expect(needs).toEqual([...new Set(definers)].sort());
    expect(text.startsWith(needs.length === 0 ? '--' : '-- needs: ')).toBe(true);
    expect(needs).not.toContain(name);
  });

  test.each(Object.entries(LUA_FILES))('of function group %s stand behind what they need', (_, names) => {
    for (const [index, name] of names.entries()) {
      const before = names.slice(0, index);
      const { needs } = parseLuaFile(name);
      expect({ name, missing: needs.filter((need) => !before.includes(need)) }).toEqual({ name, missing: [] });
    }
  });

  test('are all among those that Redis is given', () => {
    const folder = new URL('../lua/', import.meta.url);
    const written = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
    expect(written.map((name) => name.slice(0, -'.lua'.length)).sort()).toEqual([...LUA_FILE_NAMES].sort());
  });

  test('define each name once', () => {
    const names = files.flatMap(({ definedNames }) => definedNames);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test.each(files)('$name has functions of 40 lines and lines of 130 characters at most', ({ functions, text }) => {
    expect(functions.filter(({ lines }) => lines > 40)).toEqual([]);
    expect(text.split('\n').filter((line) => line.length > 130 && !line.startsWith('-- needs: '))).toEqual([]);
  });

  test.each(files)('$name has no anonymous argument, header part or letter', ({ code }) => {
    const anonymous = [
      // Arguments by number.
      ...code.matchAll(/ARGV\[[^\]]*\d[^\]]*\]/g),
      // Parts of a header by number.
      ...code.matchAll(/\b(?:header|map|previous|before|held)\[\d+\]/g),
      // Letters of states, fields, timers and entries.
      ...code.matchAll(/'[A-Za-z-]'|'[A-Za-z]\|/g),
    ];
    expect(anonymous.map(([text]) => text)).toEqual([]);
  });
});
