import { ERROR_TYPE, ERROR_TYPES, type ErrorType } from '@flotilla/contracts';
import { classifyError } from '@flotilla/engine';
import * as steps from '@flotilla/steps';
import { describe, expect, test } from '@jest/globals';
import { codeIn, read, tablesOf } from './markdown.ts';

const tables = tablesOf(read('docs/reference/error-types.md'));
const rowsOf = (firstColumn: string, secondColumn: string) =>
  tables.find(({ header }) => header[0] === firstColumn && header[1] === secondColumn)!.rows;

test('every type of error is in the table', () => {
  expect(rowsOf('Type', 'Another attempt').map(([type]) => codeIn(type!))).toEqual(ERROR_TYPES);
});

describe('the error classes that authors have', () => {
  const classes = Object.entries(steps).filter(
    (entry): entry is [string, typeof steps.RetryableError] =>
      typeof entry[1] === 'function' && ERROR_TYPE in entry[1].prototype,
  );

  test.each(classes)('%s is in the table, at the type that it is classified as', (name, TypedError) => {
    const error = new TypedError('it broke');
    const type: ErrorType = classifyError(error).type;
    const row = rowsOf('Type', 'Another attempt').find(([first]) => codeIn(first!) === type)!;
    expect(row[2]).toContain(`\`${name}\``);
    expect(type).toBe(error[ERROR_TYPE]);
  });

  test('cover every type but crash', () => {
    const types = classes.map(([, TypedError]) => new TypedError('it broke')[ERROR_TYPE]);
    expect(types.sort()).toEqual(ERROR_TYPES.filter((type) => type !== 'crash').sort());
  });
});
