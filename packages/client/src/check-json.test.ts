import { describe, expect, test } from '@jest/globals';
import { checkDefinition, checkInput } from './check-json.ts';

describe('checkInput and checkDefinition', () => {
  test('let JSON pass', () => {
    expect(() => checkInput({ a: [1, 'x', null, true, { b: {} }] })).not.toThrow();
    expect(() => checkDefinition({ steps: { a: { kind: 'delay', forMs: 1 } } })).not.toThrow();
  });

  test('let properties pass that are undefined: they are not sent', () => {
    expect(() => checkInput({ a: undefined, b: [{ c: undefined }] })).not.toThrow();
    expect(() => checkInput([undefined])).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
  });

  test('point to what is not JSON', () => {
    expect(() => checkInput({ 'a/b': [1, Number.POSITIVE_INFINITY] })).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_FAILED',
        problems: [expect.objectContaining({ path: '/input/a~1b/1' })],
      }),
    );
    expect(() => checkDefinition({ steps: { a: { run: () => 1 } } })).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ path: '/definition/steps/a/run' })] }),
    );
  });

  test('refuse what is too large or forbidden with its own code', () => {
    expect(() => checkInput('x'.repeat(17 * 1024 * 1024))).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
    );
    expect(() => checkInput(JSON.parse('{"__proto__":1}'))).toThrow(
      expect.objectContaining({ code: 'JSON_FORBIDDEN_KEY' }),
    );
  });
});
