import { expect, test } from '@jest/globals';
import { withOwnImports } from './vendor-code.mjs';

const places = new Map([
  ['@flotilla/contracts', 'dist/contracts'],
  ['@flotilla/client', 'dist/client'],
]);
const rewritten = (text) => withOwnImports(text, 'dist/client/calls/start.js', (name) => places.get(name));

test('what is packed along is imported by its place, in every way that code names a module', () => {
  expect(rewritten(`import { a } from '@flotilla/contracts';`)).toBe(`import { a } from '../../contracts/index.js';`);
  expect(rewritten(`export * from "@flotilla/client";`)).toBe(`export * from "../index.js";`);
  expect(rewritten(`await import('@flotilla/contracts')`)).toBe(`await import('../../contracts/index.js')`);
  expect(rewritten(`import.meta.resolve('@flotilla/contracts')`)).toBe(
    `import.meta.resolve('../../contracts/index.js')`,
  );
  expect(rewritten(`type A = import("@flotilla/contracts").A;`)).toBe(`type A = import("../../contracts/index.js").A;`);
});

test('other packages and plain texts stay as they are', () => {
  const text = `import z from 'zod';\nconst name = '@flotilla/contracts';`;
  expect(rewritten(text)).toBe(text);
});

test('declarations name the compiled neighbour and not its source', () => {
  expect(rewritten(`import { type A } from './paths.ts';`)).toBe(`import { type A } from './paths.js';`);
});
