/** What a page asks of the feed: the runs whose history it shows. */
export interface FeedWish {
  follow: readonly string[];
  isLeaving?: boolean;
}

/** What a page hears of it. */
export type FeedMessage = { kind: 'state'; isLive: boolean } | { kind: 'frame'; event: string; data: unknown };
