import type { RunList } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { readApi } from '../api/call-api.ts';
import { counted, duration } from '../format.ts';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { SeriesChart } from '../parts/series-chart.tsx';

const PAGE = 500;
const MOST_PAGES = 4;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Runs of the last hour by minute, out of as many of the newest runs as a glance may cost. */
export function LastHour() {
  const recent = useQuery({
    queryKey: ['last-hour'],
    queryFn: async ({ signal }) => {
      const runs: RunList['runs'] = [];
      const since = Date.now() - HOUR_MS;
      let cursor: string | undefined;
      for (let pages = 0; pages < MOST_PAGES; pages += 1) {
        const page = await readApi<RunList>('/v1/runs', { limit: PAGE, cursor }, signal);
        runs.push(...page.runs.filter(({ createdAt }) => createdAt >= since));
        cursor = page.cursor;
        if (cursor === undefined || (page.runs.at(-1)?.createdAt ?? 0) < since) break;
        if (pages === MOST_PAGES - 1) return { runs, isCut: true };
      }
      return { runs, isCut: false };
    },
    refetchInterval: 15_000,
    staleTime: 10_000,
  });
  return (
    <section className="card">
      <header>
        <h2>Last 60 minutes</h2>
      </header>
      <Loaded query={recent}>
        {({ runs, isCut }) => {
          if (runs.length === 0) return <Empty title="No run was started" />;
          const oldest = runs.at(-1)?.createdAt ?? Date.now();
          const span = isCut ? Date.now() - oldest : HOUR_MS;
          return (
            <div className="body stack">
              <p className="muted">
                {isCut ? `The newest ${counted(runs.length, 'run')}, of the last ${duration(span)}` : summary(runs)}
              </p>
              <SeriesChart label="Runs started, ended and failed by minute" {...series(runs, span)} />
            </div>
          );
        }}
      </Loaded>
    </section>
  );
}

function summary(runs: RunList['runs']): string {
  const failed = runs.filter(({ status }) => status === 'failed' || status === 'timed-out').length;
  return `${counted(runs.length, 'run')} started, ${failed} of them failed`;
}

function series(runs: RunList['runs'], spanMs: number) {
  const now = Math.floor(Date.now() / MINUTE_MS);
  const minutes = Math.max(5, Math.ceil(spanMs / MINUTE_MS));
  const times = Array.from({ length: minutes }, (_, index) => (now - minutes + 1 + index) * 60);
  const started = new Array<number>(minutes).fill(0);
  const ended = new Array<number>(minutes).fill(0);
  const failed = new Array<number>(minutes).fill(0);
  const add = (list: number[], at: number) => {
    const index = Math.floor(at / MINUTE_MS) - now + minutes - 1;
    if (index >= 0 && index < minutes) list[index] = (list[index] ?? 0) + 1;
  };
  for (const { createdAt, endedAt, status } of runs) {
    add(started, createdAt);
    if (endedAt === undefined) continue;
    add(ended, endedAt);
    if (status === 'failed' || status === 'timed-out') add(failed, endedAt);
  }
  return {
    times,
    lines: [
      { name: 'started', role: 'blue' as const, values: started },
      { name: 'ended', role: 'green' as const, values: ended },
      { name: 'failed', role: 'red' as const, values: failed },
    ],
  };
}
