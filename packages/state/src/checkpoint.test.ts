import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { type CheckpointEnvelope, chainChecksums, checkpointChecksum } from './checkpoint.ts';
import { createCheckpointSeal } from './checkpoint-seal.ts';

const verifyCheckpoint = createCheckpointSeal().verify;

/** Ids may be of any script; what JSON would have to escape no id has. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes
const idText = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/["\\\u0000-\u001f]/.test(text));
const checksumText = fc.base64String({ maxLength: 44 });
const envelopes = fc.record({
  runId: idText,
  stepId: idText,
  seq: fc.integer({ min: 1, max: 1_000_000 }),
  fence: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  state: fc.jsonValue({ maxDepth: 4 }),
  ts: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  previous: checksumText,
});

function stored({ state, ...rest }: { state: unknown } & Omit<CheckpointEnvelope, 'stateJson'>): CheckpointEnvelope {
  return { ...rest, stateJson: canonicalize(state)! };
}

const example: CheckpointEnvelope = {
  runId: '07-abc',
  stepId: 'notify[3]',
  seq: 2,
  fence: 1_700_000_000_123,
  stateJson: '{"a":[1,2,{"ü":"🚀"}],"b":"|"}',
  ts: 1_700_000_000_456,
  previous: '',
};

describe('the checksum of a checkpoint', () => {
  test('is SHA-256 over the RFC 8785 form of its envelope', () => {
    fc.assert(
      fc.property(envelopes, (given) => {
        const envelope = stored(given);
        const canonical = canonicalize({ ...given, version: 1 })!;
        expect(checkpointChecksum(envelope)).toBe(createHash('sha256').update(canonical).digest('base64url'));
      }),
    );
  });

  test('is that of the stored bytes: any flipped bit of them is found', () => {
    const checksum = checkpointChecksum(example);
    const bytes = Buffer.from(example.stateJson);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      const stateJson = damaged.toString('utf8');
      expect(() => verifyCheckpoint({ ...example, stateJson }, checksum)).toThrow(
        expect.objectContaining({ code: 'DATA_CORRUPTION' }),
      );
    }
  });

  test.each([
    { runId: '07-abd' },
    { stepId: 'notify[4]' },
    { seq: 3 },
    { fence: example.fence + 1 },
    { ts: example.ts - 1 },
    { previous: 'x' },
    { stateJson: example.stateJson.slice(0, -1) },
    { stateJson: '' },
  ])('does not fit an envelope with another %p', (change) => {
    expect(() => verifyCheckpoint({ ...example, ...change }, checkpointChecksum(example))).toThrow(/does not match/);
  });

  test('must be there', () => {
    expect(() => verifyCheckpoint(example, checkpointChecksum(example))).not.toThrow();
    for (const absent of [undefined, '']) {
      expect(() => verifyCheckpoint(example, absent)).toThrow(expect.objectContaining({ code: 'DATA_CORRUPTION' }));
    }
  });
});

describe('the chain of checksums', () => {
  test('is the one that was read, the digest of several in their order, or nothing', () => {
    expect(chainChecksums([])).toBe('');
    expect(chainChecksums(['', ''])).toBe('');
    expect(chainChecksums(['', 'one', ''])).toBe('one');
    expect(chainChecksums(['one', 'two'])).toBe(createHash('sha256').update('one\ntwo').digest('base64url'));
    expect(chainChecksums(['two', 'one'])).not.toBe(chainChecksums(['one', 'two']));
  });
});
