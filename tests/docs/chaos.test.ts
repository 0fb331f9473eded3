import { describe, expect, test } from '@jest/globals';
import { FAULT_IDS, faultOf } from '../chaos/driver/fault-table.ts';
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
});
