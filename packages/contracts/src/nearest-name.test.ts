import { describe, expect, test } from '@jest/globals';
import { didYouMean, nearestName } from './nearest-name.ts';

const NAMES = ['invoice', 'invoice.send', 'invoice.price-line', 'order', 'flotilla.echo'];

describe('the nearest name', () => {
  test.each([
    ['invioce', 'invoice'],
    ['invoce', 'invoice'],
    ['Invoice', 'invoice'],
    ['ordr', 'order'],
    ['invoice.sned', 'invoice.send'],
    ['price-line', 'invoice.price-line'],
    ['echo', 'flotilla.echo'],
  ])('of %s is %s', (name, expected) => {
    expect(nearestName(name, NAMES)).toBe(expected);
    expect(didYouMean(name, NAMES)).toBe(` (did you mean ${expected}?)`);
  });

  test.each(['shipment', 'x', '', 'a'.repeat(1000)])('of %p is none', (name) => {
    expect(nearestName(name, NAMES)).toBeUndefined();
    expect(didYouMean(name, NAMES)).toBe('');
  });

  test('of many stays cheap: those beyond the first 500 are not looked at', () => {
    const many = Array.from({ length: 500 }, (_, index) => `${'n'.repeat(100)}${index}`);
    expect(nearestName('order', [...many, 'ordre'])).toBeUndefined();
    expect(nearestName('order', ['ordre', ...many])).toBe('ordre');
  });
});
