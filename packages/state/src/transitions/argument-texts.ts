import type { StoredCheckpoint } from '../step-header.ts';

export const flag = (value: boolean) => (value ? '1' : '0');

export function checkpointParts(checkpoint: StoredCheckpoint, createdAt: number): string {
  return `${checkpoint.ts - createdAt}|${checkpoint.seq}|${checkpoint.checksum}|${checkpoint.previous}`;
}
