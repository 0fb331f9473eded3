import { SPAN_ATTRIBUTES, SPANS } from '@flotilla/telemetry';
import { expect, test } from '@jest/globals';
import { read, tablesOf } from './markdown.ts';

const tables = tablesOf(read('docs/guides/tracing.md'));
const namesIn = (heading: string) =>
  tables
    .find(({ header }) => header[0] === heading)!
    .rows.flatMap(([names]) => [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name));

test('every span is in the guide, and the other way round', () => {
  expect(namesIn('Span').sort()).toEqual(Object.values(SPANS).sort());
});

test('every attribute is in the guide, and the other way round', () => {
  expect(namesIn('Attribute').sort()).toEqual(Object.values(SPAN_ATTRIBUTES).sort());
});
