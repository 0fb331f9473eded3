/** Where a stream stands: what `Last-Event-ID` carries. */
export interface FeedPosition {
  /** Changes of runs before this moment have been sent. */
  at: number;
  /** Seq of the last event that was sent of each followed run. */
  seqs: ReadonlyMap<string, number>;
}

/** `1800000000000` or `1800000000000~run:17,other:4`. */
export function formatPosition({ at, seqs }: FeedPosition): string {
  const followed = Array.from(seqs, ([runId, seq]) => `${runId}:${seq}`).join(',');
  return followed === '' ? String(at) : `${at}~${followed}`;
}

/** Undefined when it is not one of ours. */
export function parsePosition(text: string): FeedPosition | undefined {
  const match = /^(\d{1,15})(?:~(.{1,4000}))?$/.exec(text);
  if (match === null) return undefined;
  const seqs = new Map<string, number>();
  for (const entry of match[2]?.split(',') ?? []) {
    const found = /^([A-Za-z0-9][A-Za-z0-9._-]{0,127}):(-1|\d{1,15})$/.exec(entry);
    if (found === null) return undefined;
    seqs.set(found[1] ?? '', Number(found[2]));
  }
  return { at: Number(match[1]), seqs };
}
