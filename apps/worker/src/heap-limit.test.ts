import { expect, test } from '@jest/globals';
import { heapLimitOf } from './heap-limit.ts';

const MIB = 1024 * 1024;

test('the limit of the heap is what was asked for, else that of V8 without its room for young objects', () => {
  expect(heapLimitOf(['--import', 'x', '--max-old-space-size=96'], 288 * MIB)).toBe(96 * MIB);
  expect(heapLimitOf(['--max_old_space_size=96'], 288 * MIB)).toBe(96 * MIB);
  expect(heapLimitOf(['--max-old-space-size=0'], 4288 * MIB)).toBe(4096 * MIB);
  expect(heapLimitOf([], 4288 * MIB)).toBe(4096 * MIB);
  expect(heapLimitOf([], 100 * MIB)).toBe(50 * MIB);
  expect(heapLimitOf()).toBeGreaterThan(16 * MIB);
});
