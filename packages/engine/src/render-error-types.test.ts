import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { EXAMPLE, renderErrorTypes } from './render-error-types.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('the reference of error types says what the code does (pnpm --filter @flotilla/engine error-types)', () => {
  expect(read('docs/reference/error-types.md')).toBe(renderErrorTypes(read(EXAMPLE)));
});
