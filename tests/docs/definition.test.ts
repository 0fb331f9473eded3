import {
  channelZ,
  compensationZ,
  definitionZ,
  httpRequestZ,
  retryPolicyZ,
  STEP_KINDS,
  stepZ,
  timeoutsZ,
} from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { codeIn, read, tablesOf } from './markdown.ts';

const tables = tablesOf(read('docs/reference/definition.md'));

/** First column of the table under a heading. */
function fieldsUnder(heading: string, firstColumn = 'Field'): string[] {
  const table = tables.find((each) => each.heading === heading && each.header[0] === firstColumn);
  return table?.rows.map(([field]) => codeIn(field!)) ?? [];
}

const common = fieldsUnder('Fields of every step');
const work = fieldsUnder('Fields of steps that work');

test('every field of a workflow is in the document', () => {
  expect(fieldsUnder('Fields of a workflow')).toEqual(Object.keys(definitionZ.shape));
});

describe('every field of a step is in the document', () => {
  test.each(STEP_KINDS)('%s', (kind) => {
    const schema = stepZ.options.find(({ shape }) => shape.kind.value === kind)!;
    const documented = [
      ...common,
      ...(kind === 'task' || kind === 'agent' || kind === 'http' ? work : []),
      ...fieldsUnder(kind),
    ];
    // `tolerate` of a map says something else, and stands in both places.
    expect([...new Set(documented)].sort()).toEqual(Object.keys(schema.shape).sort());
  });
});

test.each([
  ['http', 'Field of `request`', httpRequestZ],
  ['Retries', 'Field of `retry`', retryPolicyZ],
  ['Timeouts', 'Field of `timeouts`', timeoutsZ],
  ['Compensation', 'Field of `compensate`', compensationZ],
  ['Budget', 'Field of `budget`', definitionZ.shape.budget.unwrap()],
  ['channels', 'Field of `channels`', channelZ],
] as const)('every field of %s is in the document', (heading, column, schema) => {
  expect(fieldsUnder(heading, column).sort()).toEqual(Object.keys(schema.shape).sort());
});
