import { INVARIANTS } from '@flotilla/checker';
import { expect, test } from '@jest/globals';
import { MUTANTS } from '../checker/mutants/index.ts';
import { read, tablesOf } from './markdown.ts';

const tables = tablesOf(read('docs/reference/invariants.md'));
const rowsUnder = (wanted: string) => tables.find(({ heading }) => heading === wanted)!.rows;

test('every invariant that is checked is listed, in its own words', () => {
  expect(rowsUnder('What is checked').map(([id, title]) => [id, title])).toEqual(
    INVARIANTS.map(({ id, title }) => [id, title]),
  );
});

test('every mutant is listed with the invariant that it breaks', () => {
  const known = Object.entries(MUTANTS).flatMap(([id, own]) => own.map(({ name }) => [id, name]));
  expect(rowsUnder('Mutants')).toEqual(known);
});
