import type { HistoryFrame, RunsFrame } from '@flotilla/contracts';
import { useSyncExternalStore } from 'react';
import { BASE } from './call-api.ts';
import type { FeedMessage, FeedWish } from './feed-protocol.ts';
import { startFeed } from './follow-feed.ts';

/**
 * What changes, as the scheduler says it. One stream for all tabs of a browser (a shared worker holds it): browsers open
 * few connections to one server. Frames are hints: what they name is read again.
 */
type RunListener = () => void;

const runListeners = new Map<string, Set<RunListener>>();
const topicListeners = new Set<(topic: string, data: unknown) => void>();
const stateListeners = new Set<() => void>();
let isLive = false;
let send: ((wish: FeedWish) => void) | undefined;

function connect(): void {
  if (send !== undefined) return;
  if (typeof SharedWorker === 'function') {
    const worker = new SharedWorker(new URL('./feed-worker.ts', import.meta.url), { type: 'module', name: BASE });
    worker.port.onmessage = ({ data }: MessageEvent<FeedMessage>) => hear(data);
    worker.port.start();
    send = (wish) => worker.port.postMessage(wish);
    window.addEventListener('pagehide', () => worker.port.postMessage({ follow: [], isLeaving: true }));
  } else {
    const feed = startFeed(BASE, hear);
    send = (wish) => feed.wish('page', wish);
  }
  wish();
}

function wish(): void {
  send?.({ follow: [...runListeners.keys()] });
}

function hear(message: FeedMessage): void {
  if (message.kind === 'state') {
    isLive = message.isLive;
    for (const listener of stateListeners) listener();
    // What happened while there was no stream is read again.
    if (isLive) for (const listener of topicListeners) listener('resync', undefined);
    if (isLive) for (const listeners of runListeners.values()) for (const listener of listeners) listener();
    return;
  }
  if (message.event === 'history') notifyRun((message.data as HistoryFrame).runId);
  if (message.event === 'runs') for (const { runId } of (message.data as RunsFrame).changes) notifyRun(runId);
  for (const listener of topicListeners) listener(message.event, message.data);
}

function notifyRun(runId: string): void {
  for (const listener of runListeners.get(runId) ?? []) listener();
}

/** Calls back when something has happened in a run. Returns what ends it. */
export function onRunChange(runId: string, listener: RunListener): () => void {
  const listeners = runListeners.get(runId) ?? new Set();
  runListeners.set(runId, listeners.add(listener));
  connect();
  wish();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) runListeners.delete(runId);
    wish();
  };
}

/** Calls back with every frame: its topic (`runs`, `counts`, `errors`, `report`, `resync`) and its data. */
export function onFeed(listener: (topic: string, data: unknown) => void): () => void {
  topicListeners.add(listener);
  connect();
  return () => topicListeners.delete(listener);
}

function subscribe(listener: () => void): () => void {
  stateListeners.add(listener);
  connect();
  return () => stateListeners.delete(listener);
}

/** Whether frames come in. */
export function useIsLive(): boolean {
  return useSyncExternalStore(subscribe, () => isLive);
}
