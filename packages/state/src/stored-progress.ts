import type { StoredCheckpoint } from './step-header.ts';

/** Progress inside a step as `save-progress.lua` keeps it. */
export interface StoredProgress {
  /** Where it is kept: 0, 1 or 2. */
  place: number;
  checkpoint: StoredCheckpoint;
  /** The fence of the attempt that saved it; NaN when the stored text is damaged. */
  fence: number;
  stateJson: string;
}

/** All that is stored of a step's progress, unverified. */
export interface ProgressRecord {
  /** What the newest must be; undefined when there is none. */
  newest: { seq: number; checksum: string } | undefined;
  /** The last three or fewer, oldest first. */
  kept: StoredProgress[];
}

/** `newest` and the three places as the script gives them, '' or null where nothing is stored. */
export function parseProgress(
  newest: string | null | undefined,
  places: readonly (string | null | undefined)[],
  createdAt: number,
): ProgressRecord {
  const kept = places.flatMap((stored, place) => (stored ? [parsePlace(stored, place, createdAt)] : []));
  const [seq, checksum = ''] = (newest ?? '').split('|');
  return {
    newest: newest ? { seq: Number(seq), checksum } : undefined,
    kept: kept.sort((one, other) => one.checkpoint.seq - other.checkpoint.seq),
  };
}

/** One place's text: `ts|seq|checksum|previous|fence`, a line end, the state. */
export function parsePlace(stored: string, place: number, createdAt: number): StoredProgress {
  const line = stored.indexOf('\n');
  const [ts, seq, checksum = '', previous = '', fence] = stored.slice(0, Math.max(0, line)).split('|');
  return {
    place,
    checkpoint: { ts: createdAt + Number(ts), seq: Number(seq), checksum, previous },
    fence: createdAt + Number(fence),
    stateJson: stored.slice(line + 1),
  };
}
