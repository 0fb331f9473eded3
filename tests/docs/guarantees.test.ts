import { describe, expect, test } from '@jest/globals';
import { read } from './markdown.ts';

const DOCUMENT = 'docs/guarantees.md';
const [, ...sections] = read(DOCUMENT).split(/^## /m);
const promises = sections.filter((section) => /^G\d+ /.test(section));
const bullets = promises.flatMap((section) => section.split(/^- /m).slice(1));
const links = bullets.flatMap((bullet) =>
  Array.from(bullet.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g), ([, title, path]) => [title!, path!] as const),
);

test('every promise has its section', () => {
  const names = promises.map((section) => section.slice(0, section.indexOf(' ')));
  expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `G${index + 1}`));
});

test.each(bullets.map((bullet) => [bullet.split('\n')[0]!, bullet]))('%s: a test proves it', (_sentence, bullet) => {
  expect(bullet).toMatch(/\]\(\.\.\/.*\.(test|chaos)\.ts\)/);
});

describe('the tests that are named are there', () => {
  test.each(links)('%s', (title, path) => {
    // A title may be broken over a describe and a test, or hold an escaped quote.
    const source = read(path).replaceAll("\\'", "'");
    expect(source).toContain(title);
  });
});
