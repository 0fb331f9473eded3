import { createHash } from 'node:crypto';
import { randomBytesPooled } from './random-pool.ts';

/**
 * A run id begins with its partition: `07-4k2j…`. Ids that a caller chose without that form are spread by their hash, so
 * that the partition always follows from the id alone.
 */
export function partitionOfRun(runId: string, partitions: number): number {
  const prefix = /^(\d{2,4})-/.exec(runId)?.[1];
  if (prefix !== undefined) return Number(prefix) % partitions;
  return hashPartition(runId, partitions);
}

/** Partition of an idempotency key: where its record, and the run it makes, live. */
export function partitionOfKey(idempotencyKey: string, partitions: number): number {
  return hashPartition(`key:${idempotencyKey}`, partitions);
}

function hashPartition(text: string, partitions: number): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % partitions;
}

export function createRunId(partition: number): string {
  return `${String(partition).padStart(2, '0')}-${randomToken(16)}`;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Random text of 5 bits a character. */
export function randomToken(length: number): string {
  const bytes = randomBytesPooled(length);
  let token = '';
  for (let index = 0; index < length; index += 1) token += ALPHABET[bytes[index]! & 31];
  return token;
}
