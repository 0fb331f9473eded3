import { describe, expect, test } from '@jest/globals';
import { readWorkerConfig } from './config.ts';

describe('FLOTILLA_HANDLERS', () => {
  test.each([
    ['a.ts, @acme/steps,', ['a.ts', '@acme/steps']],
    ['["/a,b/h.mjs","c.ts"]', ['/a,b/h.mjs', 'c.ts']],
    ['[x]/h.mjs', ['[x]/h.mjs']],
    ['', []],
  ])('%s names modules', (text, modules) => {
    expect(readWorkerConfig({ FLOTILLA_HANDLERS: text }).handlerModules).toEqual(modules);
  });

  test.each(['["a"', '["a", 1]', '[""]'])('%s is refused', (text) => {
    expect(() => readWorkerConfig({ FLOTILLA_HANDLERS: text })).toThrow(/FLOTILLA_HANDLERS.*JSON list/);
  });
});
