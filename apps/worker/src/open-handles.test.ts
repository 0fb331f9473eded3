import { describe, expect, test } from '@jest/globals';
import { countHandles, handleLimitOf } from './open-handles.ts';

const failing = (code: string) => () => {
  throw Object.assign(new Error(code), { code });
};

describe('open handles', () => {
  test('are limited by what the system says, and by nothing known where it does not say', () => {
    expect(
      handleLimitOf(() => 'Limit  Soft  Hard  Units\nMax open files            256                  1024  files\n'),
    ).toBe(256);
    expect(
      handleLimitOf(() => 'Max open files            unlimited            unlimited            files\n'),
    ).toBeUndefined();
    expect(handleLimitOf(failing('ENOENT'))).toBeUndefined();
  });

  test('are all that may be when not even their list can be opened', () => {
    expect(countHandles(256, failing('EMFILE'))).toBe(256);
    expect(countHandles(256, failing('ENOENT'))).toBe(0);
    expect(countHandles(256, () => ['0', '1', '2'])).toBe(3);
  });
});
