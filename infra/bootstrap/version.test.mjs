import { describe, expect, test } from '@jest/globals';
import { formatVersion, isAtLeast, parseVersion } from './version.mjs';

describe('parseVersion', () => {
  test.each([
    ['v24.21.0', '24.21.0'],
    ['20.20.2', '20.20.2'],
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', '7.0.15'],
    ['Server v=8.1.1 sha=00000000:1 malloc=libc', '8.1.1'],
    ['Valkey server v=8.0.1 sha=00000000:0', '8.0.1'],
    ['5:7.0.15-1~deb12u10', '7.0.15'],
    ['8.1.1+dfsg1-3ubuntu2', '8.1.1'],
    ['7.2', '7.2.0'],
  ])('reads %p as %p', (text, expected) => {
    expect(formatVersion(parseVersion(text))).toBe(expected);
  });

  test.each([[''], ['(none)'], ['no version here'], ['7']])('finds no version in %p', (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
});

describe('isAtLeast', () => {
  test('compares the major number first, then the minor', () => {
    expect(isAtLeast(parseVersion('7.0.0'), 7)).toBe(true);
    expect(isAtLeast(parseVersion('6.2.14'), 7)).toBe(false);
    expect(isAtLeast(parseVersion('10.0.0'), 7, 2)).toBe(true);
    expect(isAtLeast(parseVersion('7.1.9'), 7, 2)).toBe(false);
  });
});
