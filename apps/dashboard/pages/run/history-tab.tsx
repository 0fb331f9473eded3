import type { HistoryEvent } from '@flotilla/contracts';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import { absolute, count, counted, timeOfDay } from '../format.ts';
import { problemText } from '../parts/confirm.tsx';
import { saveFile } from '../runs/export-runs.ts';
import type { RunTabProps } from './run-page.tsx';

const ROW_HEIGHT = 28;

/** All that happened, in order. Only the rows in sight are in the page, so its length does not matter. */
export function HistoryTab({ run, steps, onSelect }: RunTabProps) {
  const { events, error, isComplete, folded } = steps.history;
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list is added to in place; the fold's version says when
  const shown = useMemo(
    () => (wanted === '' ? events : events.filter((event) => textOf(event).includes(wanted))),
    [events, wanted, folded.version],
  );
  const save = () => {
    const lines = events.map((event) => JSON.stringify(event)).join('\n');
    saveFile(`history-${run.runId}.jsonl`, `${lines}\n`, 'application/jsonl');
  };
  return (
    <section className="card" aria-label="History">
      <div className="table-tools">
        <label className="field" style={{ flex: '1 1 200px' }}>
          <span className="visually-hidden">Filter events by type, step, worker or error</span>
          <input
            type="search"
            placeholder="Filter by type, step, worker or error"
            value={text}
            data-filter=""
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <span className="muted">
          {wanted === ''
            ? counted(events.length, 'event')
            : `${count(shown.length)} of ${counted(events.length, 'event')}`}
          {isComplete ? '' : ', reading…'}
        </span>
        <button type="button" className="button" onClick={save}>
          Download
        </button>
      </div>
      {error === undefined ? null : <p className="problem-text body">{problemText(error)}</p>}
      <EventList events={shown} count={shown.length} onSelect={onSelect} />
    </section>
  );
}

interface EventListProps {
  events: readonly HistoryEvent[];
  count: number;
  onSelect: (stepId: string) => void;
}

function EventList({ events, count: length, onSelect }: EventListProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 20,
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section className="event-list" ref={scroll} tabIndex={0} aria-label="Events">
      <ol style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const event = events[index];
          if (event === undefined) return null;
          const style = { position: 'absolute', left: 0, right: 0, transform: `translateY(${start}px)` } as const;
          return (
            <li key={event.seq} className="event-row" style={style}>
              <EventCells event={event} onSelect={onSelect} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function EventCells({ event, onSelect }: { event: HistoryEvent; onSelect: (stepId: string) => void }) {
  const { seq, at, type, stepId } = event;
  return (
    <>
      <span className="number muted">{seq}</span>
      <span className="mono" title={absolute(at)}>
        {timeOfDay(at)}
      </span>
      <span className="truncate">{type}</span>
      <span className="truncate optional">
        {stepId === undefined ? null : (
          <button type="button" className="button quiet small" onClick={() => onSelect(stepId)}>
            {stepId}
          </button>
        )}
      </span>
      <span className="truncate muted optional" title={detailOf(event)}>
        {detailOf(event)}
      </span>
    </>
  );
}

function detailOf({ attempt, worker, data, cleanup }: HistoryEvent): string {
  const parts = [
    attempt === undefined ? '' : `attempt ${attempt}`,
    cleanup === undefined ? '' : `cleanup ${cleanup}`,
    worker === undefined ? '' : `on ${worker}`,
    data === undefined ? '' : describe(data),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Errors as a person would say them, anything else as it is. */
function describe(data: NonNullable<HistoryEvent['data']>): string {
  const { code, message, delayMs, reason } = data;
  if (typeof code === 'string') return `${code} ${typeof message === 'string' ? message : ''}`;
  if (typeof delayMs === 'number') return `next attempt after ${delayMs} ms`;
  if (typeof reason === 'string') return reason;
  return JSON.stringify(data);
}

function textOf(event: HistoryEvent): string {
  return `${event.type} ${event.stepId ?? ''} ${detailOf(event)}`.toLowerCase();
}
