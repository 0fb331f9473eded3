import { describe, expect, test } from '@jest/globals';
import { read, tablesOf } from './markdown.ts';

const rows = tablesOf(read('docs/reference/regressions.md')).flatMap((table) => table.rows);
const rules = rows.map(([id = '', , tests = '']) => {
  const links = Array.from(tests.matchAll(/\[(.+?)\]\(\.\.\/\.\.\/([^)]+)\)/g), ([, title, path]) => [title!, path!]);
  return { id, links: links as [string, string][] };
});

test('no rule is there twice', () => {
  const ids = rules.map(({ id }) => id);
  expect(ids.length).toBeGreaterThan(30);
  expect(new Set(ids).size).toBe(ids.length);
});

describe.each(rules)('$id', ({ links }) => {
  test('has a test', () => {
    expect(links.length).toBeGreaterThan(0);
  });

  test.each(links)('%s', (title, path) => {
    expect(read(path).replaceAll("\\'", "'")).toContain(title);
  });
});
