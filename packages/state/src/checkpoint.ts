import { hash } from 'node:crypto';

/** Version of the envelope below. */
export const CHECKPOINT_VERSION = 1;

/**
 * The envelope of a checkpoint: `{ version, runId, stepId, seq, fence, state, ts, previous, checksum }`. The checksum is
 * SHA-256 (base64url) over the RFC 8785 canonical form of the others. `previous` chains along the needs: the checksum of
 * the one checkpoint that was read for the step's input, or the digest of several in step order, or '' when none was.
 */
export interface CheckpointEnvelope {
  /** Of progress inside a step; absent of a result. Neither can stand in the other's place. */
  kind?: 'progress';
  runId: string;
  stepId: string;
  /** 1 and up inside a step; the committed result has the highest. */
  seq: number;
  fence: number;
  /** RFC 8785 canonical JSON of the state: exactly the stored bytes. */
  stateJson: string;
  /** Milliseconds on Redis' clock. */
  ts: number;
  previous: string;
}

/** The envelope's canonical form. The keys stand in order, so that no serializer is needed on the hot path. */
export function canonicalEnvelope(envelope: CheckpointEnvelope): string {
  const kind = envelope.kind === undefined ? '' : `"kind":"${envelope.kind}",`;
  return (
    `{"fence":${envelope.fence},${kind}"previous":"${envelope.previous}","runId":"${envelope.runId}",` +
    `"seq":${envelope.seq},"state":${envelope.stateJson},"stepId":"${envelope.stepId}","ts":${envelope.ts},` +
    `"version":${CHECKPOINT_VERSION}}`
  );
}

/** SHA-256 over the canonical envelope. */
export function checkpointChecksum(envelope: CheckpointEnvelope): string {
  return hash('sha256', canonicalEnvelope(envelope), 'base64url');
}

/** `previous` of a step whose input was made from checkpoints with these checksums, in step order. */
export function chainChecksums(checksums: readonly string[]): string {
  const known = checksums.filter((checksum) => checksum !== '');
  if (known.length <= 1) return known[0] ?? '';
  return hash('sha256', known.join('\n'), 'base64url');
}
