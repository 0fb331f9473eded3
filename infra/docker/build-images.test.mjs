import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { withBuiltTree } from './build-images.mjs';
import { librariesIn } from './machine-base.mjs';

describe('the Dockerfile where no image can be fetched', () => {
  const dockerfile = readFileSync(new URL('Dockerfile', import.meta.url), 'utf8');
  const built = withBuiltTree(dockerfile);
  const stagesOf = (text) => [...text.matchAll(/^FROM (\S+) AS (\S+)$/gm)].map(([, , name]) => name);

  test('has the same stages, of which the first runs nothing', () => {
    expect(stagesOf(built)).toEqual(stagesOf(dockerfile));
    expect(built).not.toMatch(/^RUN /m);
  });

  test('is the same from the second stage on', () => {
    const rest = (text) => text.slice(text.indexOf('AS runtime'));
    expect(rest(built)).toBe(rest(dockerfile));
  });

  test('cannot be made when the first stage has another name', () => {
    expect(() => withBuiltTree(dockerfile.replace('AS build', 'AS compile'))).toThrow('no stage "build"');
  });
});

test('the libraries of a program are read out of what ldd prints, the loader among them', () => {
  const printed = [
    '\tlinux-vdso.so.1 (0x00007f70f2628000)',
    '\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f70f2532000)',
    '\t/lib64/ld-linux-x86-64.so.2 (0x00007f70f262a000)',
  ];
  expect(librariesIn(printed.join('\n'))).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
});
