import type { FeedMessage, FeedWish } from './feed-protocol.ts';
import { type Feed, startFeed } from './follow-feed.ts';

/** Shared by all tabs of a browser: they hear of one stream. */
interface SharedScope {
  name: string;
  onconnect: ((event: MessageEvent) => void) | null;
}

const scope = self as unknown as SharedScope;
const ports = new Set<MessagePort>();
let feed: Feed | undefined;
let isLive = false;

function tell(message: FeedMessage): void {
  if (message.kind === 'state') isLive = message.isLive;
  for (const port of ports) port.postMessage(message);
}

scope.onconnect = ({ ports: [port] }) => {
  if (port === undefined) return;
  ports.add(port);
  feed ??= startFeed(scope.name, tell);
  const { wish } = feed;
  port.onmessage = ({ data }: MessageEvent<FeedWish>) => {
    wish(port, data);
    if (data.isLeaving) ports.delete(port);
  };
  port.start();
  if (isLive) port.postMessage({ kind: 'state', isLive } satisfies FeedMessage);
};
