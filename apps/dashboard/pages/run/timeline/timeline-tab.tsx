import { useSearch } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef } from 'react';
import { counted, duration, relative } from '../../format.ts';
import { useNow } from '../../parts/clock.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Icon } from '../../parts/icon.tsx';
import { hasEnded, type Role, STEP_LOOKS } from '../../states.ts';
import type { AttemptRecord, FoldedRun, StepRecord, WaitRecord } from '../fold-history.ts';
import type { RunTabProps } from '../run-page.tsx';
import { type TimeScale, ticks, timeScale } from './time-scale.ts';

const ROW_HEIGHT = 26;

/** When each step waited and was made. Time in which nothing was under way is drawn short. */
export function TimelineTab({ run, steps, onSelect }: RunTabProps) {
  const { step: selected } = useSearch({ from: '/runs/$runId' });
  const { folded } = steps;
  const isOver = hasEnded(run.status);
  const now = useNow(!isOver);
  const from = run.createdAt;
  const to = isOver ? (run.endedAt ?? folded.lastAt) : Math.max(now, folded.lastAt);
  const rows = useMemo(() => sortedRows(folded), [folded, folded.version]);
  const scale = useMemo(() => timeScale(from, to, busyTimes(folded, to)), [folded, folded.version, from, to]);
  if (rows.length === 0) {
    return (
      <div className="card">
        <Empty title="No step has begun yet" />
      </div>
    );
  }
  return (
    <section className="card" aria-label="Timeline">
      <div className="table-tools">
        <span className="muted">
          {counted(rows.length, 'row')} in {duration(to - from)}
          {scale.idle.length === 0
            ? ''
            : `; ${counted(scale.idle.length, 'idle stretch', 'idle stretches')} drawn short`}
        </span>
        <Legend />
      </div>
      <Rows rows={rows} scale={scale} from={from} to={to} selected={selected} onSelect={onSelect} />
    </section>
  );
}

function sortedRows(folded: FoldedRun): StepRecord[] {
  const begun = [...folded.steps.values()].filter(({ attempts, waits }) => attempts.length > 0 || waits.length > 0);
  const startOf = ({ attempts, waits }: StepRecord) =>
    Math.min(attempts[0]?.startedAt ?? Number.POSITIVE_INFINITY, waits[0]?.from ?? Number.POSITIVE_INFINITY);
  return begun.sort((a, b) => startOf(a) - startOf(b));
}

function busyTimes(folded: FoldedRun, to: number): { from: number; to: number }[] {
  const busy: { from: number; to: number }[] = [];
  for (const { attempts } of folded.steps.values()) {
    for (const { startedAt, endedAt } of attempts) busy.push({ from: startedAt, to: endedAt ?? to });
  }
  return busy;
}

interface RowsProps {
  rows: readonly StepRecord[];
  scale: TimeScale;
  from: number;
  to: number;
  selected: string | undefined;
  onSelect: (stepId: string) => void;
}

function Rows({ rows, scale, from, to, selected, onSelect }: RowsProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 16,
  });
  return (
    <div className="timeline" ref={scroll}>
      <div className="axis track" style={{ position: 'sticky', height: 24, cursor: 'default' }} aria-hidden="true">
        <span style={{ position: 'static', border: 0 }} />
        <div className="lane">
          {ticks(from, to, scale).map(({ at, place }, index) => (
            <span key={at} className={index === 0 ? '' : 'minor'} style={{ left: `${place * 100}%` }}>
              +{duration(at - from)}
            </span>
          ))}
        </div>
      </div>
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const record = rows[index];
          if (record === undefined) return null;
          return (
            <button
              key={record.stepId}
              type="button"
              className="track"
              aria-pressed={record.stepId === selected}
              aria-label={describe(record, to)}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => onSelect(record.stepId)}
            >
              <span className={`label state role-${STEP_LOOKS[record.status].role}`}>
                <Icon name={STEP_LOOKS[record.status].icon} />
                <span className="truncate" style={{ color: 'var(--text)', fontWeight: 400 }}>
                  {record.stepId}
                </span>
              </span>
              <Lane record={record} scale={scale} to={to} />
            </button>
          );
        })}
      </div>
    </div>
  );
}

const WAIT_ROLES: Record<WaitRecord['kind'], Role> = { queued: 'strong', 'backing-off': 'amber', parked: 'violet' };
const END_ROLES: Record<NonNullable<AttemptRecord['end']>, Role> = {
  succeeded: 'green',
  failed: 'red',
  'timed-out': 'red',
  lost: 'amber',
  cancelled: 'grey',
};

function Lane({ record, scale, to }: { record: StepRecord; scale: TimeScale; to: number }) {
  const span = (start: number, end: number | undefined) => {
    const left = scale.place(start);
    return { left: `${left * 100}%`, width: `${(scale.place(end ?? to) - left) * 100}%` };
  };
  return (
    <span className="lane">
      {scale.idle.map((gap) => (
        <i
          key={gap.from}
          className="idle"
          style={span(gap.from, gap.to)}
          title={`idle ${duration(gap.to - gap.from)}`}
        />
      ))}
      {record.waits.map((wait) => (
        <i
          key={`${wait.kind} ${wait.from}`}
          className={`wait role-${WAIT_ROLES[wait.kind]}`}
          style={span(wait.from, wait.to)}
          title={`${wait.reason ?? wait.kind}, ${duration((wait.to ?? to) - wait.from)}`}
        />
      ))}
      {record.attempts.map((attempt) => (
        <i
          key={`${attempt.attempt} ${attempt.startedAt}`}
          className={`role-${attempt.end === undefined ? 'blue' : END_ROLES[attempt.end]}`}
          style={span(attempt.startedAt, attempt.endedAt)}
          title={`attempt ${attempt.attempt} ${attempt.end ?? 'under way'}, ${duration((attempt.endedAt ?? to) - attempt.startedAt)}`}
        />
      ))}
    </span>
  );
}

function describe({ stepId, status, attempts, waits }: StepRecord, now: number): string {
  const waited = waits.reduce((sum, { from, to }) => sum + (to ?? now) - from, 0);
  const worked = attempts.reduce((sum, { startedAt, endedAt }) => sum + (endedAt ?? now) - startedAt, 0);
  const begun = attempts[0] === undefined ? '' : `, begun ${relative(attempts[0].startedAt, now)}`;
  return `${stepId}: ${STEP_LOOKS[status].word}, ${counted(attempts.length, 'attempt')} in ${duration(worked)}, waited ${duration(waited)}${begun}`;
}

const LEGEND = [
  ['blue', 'under way'],
  ['green', 'succeeded'],
  ['red', 'failed'],
] as const;

function Legend() {
  return (
    <span className="row wrap muted" style={{ gap: 12 }}>
      {LEGEND.map(([role, words]) => (
        <span key={role} className="row" style={{ gap: 4 }}>
          <span className={`tinted role-${role}`} aria-hidden="true">
            ■
          </span>
          {words}
        </span>
      ))}
      <span>hatched: waits</span>
    </span>
  );
}
