import { describe, expect, test } from '@jest/globals';
import { dependenciesOf } from './debian-redis.mjs';

describe('dependenciesOf', () => {
  test('reads every package with what it needs', () => {
    const text =
      'redis-server\n  PreDepends: init-system-helpers\n  Depends: redis-tools\nredis-tools\n  Depends: liblzf1\n';
    expect(Object.fromEntries(dependenciesOf(text))).toEqual({
      'redis-server': ['init-system-helpers', 'redis-tools'],
      'redis-tools': ['liblzf1'],
    });
  });

  test('takes the first of several alternatives', () => {
    const text = 'a\n |Depends: libsystemd0\n |Depends: libelogind0\n  Depends: libother\n  Depends: libnext\n';
    expect(dependenciesOf(text).get('a')).toEqual(['libsystemd0', 'libnext']);
  });

  test('takes the first provider of a virtual package', () => {
    const text = 'a\n  Depends: <libvirtual>\n    libprovider1\n    libprovider2\n  Depends: libreal\n<libvirtual>\n';
    expect(dependenciesOf(text).get('a')).toEqual(['libprovider1', 'libreal']);
  });

  test('leaves the providers of a later alternative alone', () => {
    const text = 'a\n |Depends: libfirst\n  Depends: <libvirtual>\n    libprovider\n';
    expect(dependenciesOf(text).get('a')).toEqual(['libfirst']);
  });
});
