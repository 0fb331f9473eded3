import { readdirSync } from 'node:fs';
import { FAULT_IDS, faultOf, MIXES, SAFEGUARDS } from '@flotilla/chaos';
import { describe, expect, test } from '@jest/globals';
import { read, tablesOf } from './markdown.ts';

describe('docs/reference/chaos.md', () => {
  const [table] = tablesOf(read('docs/reference/chaos.md')).filter(({ header }) => header[0] === 'Fault');

  test('has every fault with its ways and its bound', () => {
    expect(table?.rows).toEqual(
      FAULT_IDS.map((id) => {
        const { what, variants, boundMs } = faultOf(id);
        const ways = variants.map(({ name }) => name).filter((name) => name !== '');
        return [id, what, ways.join(', ') || '–', `${boundMs / 1000} s`];
      }),
    );
  });

  test('has every safeguard that can be switched off', () => {
    const [safeguards] = tablesOf(read('docs/reference/chaos.md')).filter(({ header }) => header[0] === '`--without`');
    expect(safeguards?.rows.map(([name]) => name)).toEqual(SAFEGUARDS.map((name) => `\`${name}\``));
  });
});

describe('tests/chaos', () => {
  const sources = readdirSync(new URL('../chaos', import.meta.url))
    .filter((name) => name.endsWith('.chaos.ts'))
    .map((name) => read(`tests/chaos/${name}`));

  // F7 is no part of any mix, so it is not in the table.
  test.each([...FAULT_IDS, 'F7', ...Object.keys(MIXES)])('%s has a promise of its own in one file', (id) => {
    const own = sources.filter((source) =>
      new RegExp(`^(testPromise|testMix|describe)\\(\\s*'${id} `, 'm').test(source),
    );
    expect(own).toHaveLength(1);
  });
});
