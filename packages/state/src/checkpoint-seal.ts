import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { FlotillaError } from '@flotilla/contracts';
import { type CheckpointEnvelope, canonicalEnvelope, checkpointChecksum } from './checkpoint.ts';

/**
 * Makes and checks the checksums of checkpoints: SHA-256, which tells damage, or with keys HMAC-SHA-256, which a writer
 * without the key cannot make.
 */
export interface CheckpointSeal {
  checksumOf(envelope: CheckpointEnvelope): string;
  /** Why the checksum does not prove the envelope; undefined when it does. */
  problemOf(envelope: CheckpointEnvelope, checksum: string | undefined): string | undefined;
  /** Throws DATA_CORRUPTION unless the checksum proves the envelope: such a checkpoint is never used (G12). */
  verify(envelope: CheckpointEnvelope, checksum: string | undefined): void;
}

/**
 * `keys`: secrets of any text. The first one signs, all of them verify, so that keys can be changed while runs are under
 * way. With keys a checkpoint that is not signed is refused, without keys one that is: neither can be told from a forgery.
 */
export function createCheckpointSeal(keys: readonly string[] = []): CheckpointSeal {
  const signers = new Map(keys.map((key) => [keyIdOf(key), (text: string) => macOf(key, text)]));
  const [first] = signers;
  const checksumOf = (envelope: CheckpointEnvelope): string =>
    first === undefined ? checkpointChecksum(envelope) : `${first[0]}.${first[1](canonicalEnvelope(envelope))}`;

  const problemOf = (envelope: CheckpointEnvelope, checksum: string | undefined): string | undefined => {
    if (!checksum) return 'has no checksum';
    const dot = checksum.indexOf('.');
    if (dot < 0) {
      if (first !== undefined) return 'is not signed, and this deployment signs its checkpoints';
      return isSame(checkpointChecksum(envelope), checksum) ? undefined : 'does not match its checksum';
    }
    const sign = signers.get(checksum.slice(0, dot));
    if (sign === undefined) return 'is signed with a key that this process does not have';
    return isSame(sign(canonicalEnvelope(envelope)), checksum.slice(dot + 1))
      ? undefined
      : 'does not match its signature';
  };

  return {
    checksumOf,
    problemOf,
    verify(envelope, checksum) {
      const problem = problemOf(envelope, checksum);
      if (problem === undefined) return;
      const { stepId, runId } = envelope;
      throw new FlotillaError('DATA_CORRUPTION', `the checkpoint of step ${stepId} in run ${runId} ${problem}`);
    },
  };
}

/** Names a key without telling it. */
function keyIdOf(key: string): string {
  return createHash('sha256').update(`flotilla checkpoint key\n${key}`).digest('base64url').slice(0, 8);
}

function macOf(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
