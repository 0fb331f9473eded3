import type { StoredCheckpoint } from './step-header.ts';

/** Progress inside a step as the transition `save-progress` writes it: `ts|seq|checksum|previous`, a line end, the state. */
export function parseStoredProgress(
  stored: string,
  createdAt: number,
): { checkpoint: StoredCheckpoint; stateJson: string } {
  const line = stored.indexOf('\n');
  const [ts, seq, checksum, previous] = stored.slice(0, line).split('|');
  return {
    checkpoint: {
      ts: createdAt + Number(ts),
      seq: Number(seq),
      checksum: checksum ?? '',
      previous: previous ?? '',
    },
    stateJson: stored.slice(line + 1),
  };
}
