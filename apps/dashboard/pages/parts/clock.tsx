import { useEffect, useState } from 'react';
import { absolute, duration, relative } from '../format.ts';

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, once a second; one timer for the whole page, which rests while the page is hidden. */
export function useNow(isLive = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isLive) return;
    const update = () => setNow(Date.now());
    listeners.add(update);
    timer ??= setInterval(() => {
      if (!document.hidden) for (const listener of listeners) listener();
    }, 1000);
    return () => {
      listeners.delete(update);
      if (listeners.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    };
  }, [isLive]);
  return now;
}

/** How long ago, with the moment itself on hover. */
export function Ago({ at }: { at: number }) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={absolute(at)}>
      {relative(at, now)}
    </time>
  );
}

/** From one moment to another, or to now while there is no other. */
export function Took({ from, to }: { from: number; to: number | undefined }) {
  const now = useNow(to === undefined);
  return <span className="nowrap">{duration((to ?? now) - from)}</span>;
}
