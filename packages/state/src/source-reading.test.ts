import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { SourceReading } from './source-reading.ts';

const MIB = 1_048_576;

describe('what one evaluation reads', () => {
  test('fails beyond eight million characters, however many outputs they are of', async () => {
    const reading = new SourceReading();
    for (let output = 0; output < 8; output += 1) await reading.count(MIB);
    await expect(reading.count(1)).rejects.toMatchObject({ code: 'EXPRESSION_FAILED' });
    reading.end();
  });

  test('waits, when it is large, until the large reading before it has ended', async () => {
    const [first, second, third] = [new SourceReading(), new SourceReading(), new SourceReading()];
    const order: string[] = [];
    await first.count(2 * MIB);
    const waiting = second.count(2 * MIB).then(() => order.push('second'));
    const last = third.count(2 * MIB).then(() => order.push('third'));
    await nextTurn();
    expect(order).toEqual([]);
    first.end();
    await waiting;
    expect(order).toEqual(['second']);
    second.end();
    await last;
    third.end();
  });

  test('does not wait when it is small', async () => {
    const [large, small] = [new SourceReading(), new SourceReading()];
    await large.count(2 * MIB);
    await small.count(1000);
    small.end();
    large.end();
  });

  test('that has ended twice lets one in', async () => {
    const [first, second] = [new SourceReading(), new SourceReading()];
    await first.count(2 * MIB);
    first.end();
    first.end();
    await second.count(2 * MIB);
    second.end();
  });
});
