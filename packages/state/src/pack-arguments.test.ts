import { describe, expect, test } from '@jest/globals';
import { pack, packOwn, packRepeated, packShared } from './pack-arguments.ts';

describe('packing arguments', () => {
  test('puts them in the order of the transition, whatever the order of the caller', () => {
    expect(pack('renew', { endingSince: 7, worker: 'w' })).toEqual(['w', 7]);
    expect(packRepeated('hand-back', { key: '3', runId: 'run', definitionHash: 'hash' })).toEqual(['run', 'hash', '3']);
    expect(packOwn('claim', { attemptId: 'a', key: '3' })).toEqual(['3', 'a']);
  });

  test('gives an empty text for what is undefined', () => {
    expect(pack('start-delay', { runId: 'run', key: '3', forMs: 0, opening: undefined })).toEqual(['run', '3', 0, '']);
  });

  test('is a type error with a name missing, a name too many or an unknown transition', () => {
    // @ts-expect-error `key` is missing
    pack('load-progress', { runId: 'run' });
    // @ts-expect-error there is no `step`
    pack('load-progress', { runId: 'run', key: '3', step: '3' });
    // @ts-expect-error of another transition
    pack('renew', { worker: 'w', attemptId: 'a' });
    // @ts-expect-error there is no such transition
    expect(() => pack('renew-all', {})).toThrow();
    // @ts-expect-error `sources` is missing
    packShared('claim', { runId: 'run', worker: 'w', wantsInput: '1', group: '' });
  });
});
