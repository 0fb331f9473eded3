import { describe, expect, test } from '@jest/globals';
import type { CheckpointEnvelope } from './checkpoint.ts';
import { createCheckpointSeal } from './checkpoint-seal.ts';

const NEW_KEY = 'a key of more than thirty-two characters';
const OLD_KEY = 'another key of more than thirty-two characters';

const envelope: CheckpointEnvelope = {
  runId: '07-abc',
  stepId: 'charge',
  seq: 2,
  fence: 1_700_000_000_123,
  stateJson: '{"amount":12}',
  ts: 1_700_000_000_456,
  previous: 'before',
};

describe('a seal of checkpoints', () => {
  test('with a key accepts what it has signed, and what an older key has signed that it still knows', () => {
    const seal = createCheckpointSeal([NEW_KEY, OLD_KEY]);
    expect(seal.problemOf(envelope, seal.checksumOf(envelope))).toBeUndefined();
    expect(seal.problemOf(envelope, createCheckpointSeal([OLD_KEY]).checksumOf(envelope))).toBeUndefined();
  });

  test('with a key refuses one that was made without it, however good its checksum', () => {
    const plain = createCheckpointSeal().checksumOf(envelope);
    expect(createCheckpointSeal([NEW_KEY]).problemOf(envelope, plain)).toMatch(/is not signed/);
  });

  test('refuses what a key signed that it does not have, with another key and with none', () => {
    const signed = createCheckpointSeal([OLD_KEY]).checksumOf(envelope);
    for (const keys of [[NEW_KEY], []]) {
      expect(createCheckpointSeal(keys).problemOf(envelope, signed)).toMatch(/a key that this process does not have/);
    }
  });

  test.each([[[NEW_KEY]], [[]]])('refuses another envelope, with keys %j', (keys) => {
    const seal = createCheckpointSeal(keys);
    const checksum = seal.checksumOf(envelope);
    const changes: Partial<CheckpointEnvelope>[] = [
      { runId: '07-abd' },
      { stepId: 'refund' },
      { seq: 3 },
      { fence: 1 },
      { stateJson: '{"amount":13}' },
      { stateJson: envelope.stateJson.slice(0, -1) },
      { ts: 1 },
      { previous: '' },
      { kind: 'progress' },
    ];
    for (const change of changes) {
      expect(seal.problemOf({ ...envelope, ...change }, checksum)).toMatch(/^does not match its/);
      expect(() => seal.verify({ ...envelope, ...change }, checksum)).toThrow(
        expect.objectContaining({ code: 'DATA_CORRUPTION' }),
      );
    }
    for (const none of [undefined, '']) expect(seal.problemOf(envelope, none)).toBe('has no checksum');
  });

  test('does not show its key in what it signs', () => {
    expect(createCheckpointSeal([NEW_KEY]).checksumOf(envelope)).toMatch(/^[\w-]{8}\.[\w-]{43}$/);
  });
});
