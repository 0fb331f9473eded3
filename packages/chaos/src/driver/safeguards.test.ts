import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { brokenWithout, findNotBroken, SAFEGUARDS } from './safeguards.ts';

const ofRun = (invariant: string) => ({ invariant, runId: 'load-1' });

describe('without a safeguard', () => {
  test('what it prevents has to be found, all of it', () => {
    expect(findNotBroken('lease', [ofRun('V2'), ofRun('V16'), ofRun('V16')])).toEqual([]);
    expect(findNotBroken('lease', [ofRun('V16')])).toEqual(['V2']);
    expect(findNotBroken('fence', [ofRun('V2'), ofRun('V16')])).toEqual(['V5']);
    expect(findNotBroken('reconciler', [])).toEqual(['V2', 'V16']);
  });

  test('that a fault shows no effect is not what it prevents', () => {
    expect(findNotBroken('reconciler', [ofRun('V2'), { invariant: 'V16' }])).toEqual(['V16']);
  });

  test.each(SAFEGUARDS)('%s: the document names the same invariants', (safeguard) => {
    const text = readFileSync(new URL('../../../../docs/reference/chaos.md', import.meta.url), 'utf8');
    const row = text.split('\n').find((line) => line.startsWith(`| \`${safeguard}\` |`));
    expect(row?.match(/\bV\d+\b/g)).toEqual(brokenWithout(safeguard));
  });
});
