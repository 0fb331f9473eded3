import { createParser } from 'eventsource-parser';
import type { FeedMessage, FeedWish } from './feed-protocol.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** A scheduler that has no feed is asked again after this long. */
const ABSENT_PAUSE_MS = 60_000;
/** The server says at least this often that it is there. */
const SILENCE_MS = 40_000;
/** Wishes that come close together make one new stream. */
const SETTLE_MS = 250;
const MAX_FOLLOWED = 20;

export interface Feed {
  /** What one page wants; the stream carries what all of them want. */
  wish(page: unknown, wish: FeedWish): void;
}

/** Holds one event stream, resumes it behind the last frame, and passes its frames on. */
export function startFeed(base: string, tell: (message: FeedMessage) => void): Feed {
  const wishes = new Map<unknown, readonly string[]>();
  let followed = '';
  let lastId: string | undefined;
  let stream: AbortController | undefined;
  let settling: ReturnType<typeof setTimeout> | undefined;

  const keep = async () => {
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      stream = new AbortController();
      const outcome = await readStream(base, followed, lastId, stream, (event, data, id) => {
        pauseMs = FIRST_PAUSE_MS;
        if (id !== undefined) lastId = id;
        tell(event === 'open' ? { kind: 'state', isLive: true } : { kind: 'frame', event, data });
      });
      if (outcome === 'renewed') continue;
      tell({ kind: 'state', isLive: false });
      await new Promise((resolve) => setTimeout(resolve, outcome === 'absent' ? ABSENT_PAUSE_MS : pauseMs));
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  };
  void keep();

  return {
    wish(page, { follow, isLeaving = false }) {
      if (isLeaving) wishes.delete(page);
      else wishes.set(page, follow);
      clearTimeout(settling);
      settling = setTimeout(() => {
        const wanted = [...new Set([...wishes.values()].flat())].sort().slice(0, MAX_FOLLOWED).join(',');
        if (wanted === followed) return;
        followed = wanted;
        stream?.abort('renew');
      }, SETTLE_MS);
    },
  };
}

type Outcome = 'ended' | 'absent' | 'renewed';

async function readStream(
  base: string,
  follow: string,
  lastId: string | undefined,
  stream: AbortController,
  onFrame: (event: string, data: unknown, id: string | undefined) => void,
): Promise<Outcome> {
  let silence = setTimeout(() => stream.abort('silent'), SILENCE_MS);
  const query = new URLSearchParams({ topics: 'runs,counts,errors,report', ...(follow === '' ? {} : { follow }) });
  try {
    const answer = await fetch(`${base}v1/events?${query}`, {
      headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
      signal: stream.signal,
    });
    if (!answer.ok || answer.body === null) return answer.status === 404 ? 'absent' : 'ended';
    onFrame('open', undefined, undefined);
    const parser = createParser({
      onEvent: ({ event, data, id }) => onFrame(event ?? 'message', JSON.parse(data), id),
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      clearTimeout(silence);
      silence = setTimeout(() => stream.abort('silent'), SILENCE_MS);
      parser.feed(decoder.decode(chunk, { stream: true }));
    }
    return 'ended';
  } catch {
    return stream.signal.reason === 'renew' ? 'renewed' : 'ended';
  } finally {
    clearTimeout(silence);
  }
}
