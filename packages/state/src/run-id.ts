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

const PREFIX_CHARACTERS = 7;
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A number of 42 bits made of a run's id: what finds the run of an attempt. Two runs may share one. */
export function numberOfRun(runId: string): number {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let index = 0; index < runId.length; index += 1) {
    const code = runId.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (low >>> 15);
  }
  return ((high >>> 0) % 2 ** 21) * 2 ** 21 + (((low ^ (low >>> 13)) >>> 0) % 2 ** 21);
}

/** An attempt's id: seven characters that say which run's it is, then random ones. */
export function createAttemptId(runId: string): string {
  let number = numberOfRun(runId);
  let prefix = '';
  for (let index = 0; index < PREFIX_CHARACTERS; index += 1) {
    prefix = BASE64URL[number % 64]! + prefix;
    number = Math.floor(number / 64);
  }
  return prefix + randomBytesPooled(9).toString('base64url');
}

/** The number of the run whose attempt it is; undefined when it does not look like the id of an attempt. */
export function runNumberOfAttempt(attemptId: string): number | undefined {
  if (!/^[A-Za-z0-9_-]{19}$/.test(attemptId)) return undefined;
  let number = 0;
  for (let index = 0; index < PREFIX_CHARACTERS; index += 1)
    number = number * 64 + BASE64URL.indexOf(attemptId[index]!);
  return number;
}
