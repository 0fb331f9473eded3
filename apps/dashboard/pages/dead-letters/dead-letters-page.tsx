import type { DeadLetterView } from '@flotilla/contracts';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';
import { useDeadLetters } from '../api/fleet.ts';
import { useScope } from '../api/session.ts';
import { counted } from '../format.ts';
import { Ago } from '../parts/clock.tsx';
import { problemText } from '../parts/confirm.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/empty.tsx';
import { Page } from '../parts/page.tsx';
import { RunId } from '../parts/run-id.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { STEP_LOOKS } from '../states.ts';
import { ActOnLetters } from './act-on-letters.tsx';
import { LetterFilter } from './letter-filter.tsx';
import { LetterPanel } from './letter-panel.tsx';

/** Steps that failed for good and brought their runs to an end: made again, or taken off the list. */
export function DeadLettersPage() {
  const { letter, ...filter } = useSearch({ from: '/dead-letters' });
  const navigate = useNavigate({ from: '/dead-letters' });
  const list = useDeadLetters(filter);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.deadLetters) ?? [], [list.data]);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const mayOperate = useScope('operate');
  const open = useCallback(
    (id: string | undefined) => void navigate({ search: (before) => ({ ...before, letter: id }) }),
    [navigate],
  );
  const columns = useMemo(() => letterColumns(selected, setSelected, open), [selected, open]);
  const shown = rows.find(({ id }) => id === letter);
  const chosen = rows.filter(({ id }) => selected.has(id));
  return (
    <Page title="Dead letters" answer={answer(rows.length, list.hasNextPage, list.isPending)}>
      <LetterFilter filter={filter} onChange={(next) => void navigate({ search: next })} />
      <div className={`run-body${shown === undefined ? ' alone' : ''}`}>
        <div className="card">
          {mayOperate ? (
            <div className="table-tools">
              <ActOnLetters filter={filter} chosen={chosen} onDone={() => setSelected(new Set())} />
            </div>
          ) : null}
          {list.error === null ? null : <p className="problem-text body">{problemText(list.error)}</p>}
          {rows.length === 0 && !list.isPending ? (
            <Empty title="No dead letters">Steps that fail for good are listed here when their run has ended.</Empty>
          ) : (
            <DataTable
              label="Dead letters"
              columns={columns}
              rows={rows}
              rowId={({ id }) => id}
              currentId={letter}
              onOpen={({ id }) => open(id)}
              onEnd={() => {
                if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage();
              }}
            />
          )}
        </div>
        {shown === undefined ? null : <LetterPanel letter={shown} onClose={() => open(undefined)} />}
      </div>
    </Page>
  );
}

function answer(total: number, hasMore: boolean, isLoading: boolean): string {
  if (isLoading) return '';
  if (total === 0) return 'Nothing waits to be redriven';
  return `${hasMore ? 'More than ' : ''}${counted(total, 'step')} failed for good`;
}

function letterColumns(
  selected: ReadonlySet<string>,
  onSelect: (selected: ReadonlySet<string>) => void,
  open: (id: string) => void,
): readonly Column<DeadLetterView>[] {
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  return [
    {
      id: 'select',
      header: '',
      width: 30,
      cell: ({ id }) => (
        <input type="checkbox" aria-label={`Select ${id}`} checked={selected.has(id)} onChange={() => toggle(id)} />
      ),
    },
    { id: 'reason', header: 'State', width: 110, cell: ({ reason }) => <StateMark look={STEP_LOOKS[reason]} /> },
    {
      id: 'step',
      header: 'Step',
      width: 150,
      cell: ({ id, stepId }) => (
        <button type="button" className="button quiet" style={{ padding: 0 }} onClick={() => open(id)} title={stepId}>
          {stepId}
        </button>
      ),
    },
    { id: 'run', header: 'Run', width: 220, cell: ({ runId, stepId }) => <RunId runId={runId} step={stepId} /> },
    {
      id: 'workflow',
      header: 'Workflow',
      width: 140,
      cell: ({ workflow }) => <span title={workflow}>{workflow}</span>,
    },
    {
      id: 'error',
      header: 'Error',
      width: 220,
      grows: true,
      cell: ({ error }) => (
        <span title={error.message}>
          <code>{error.code}</code> <span className="muted">{error.message}</span>
        </span>
      ),
    },
    { id: 'attempts', header: 'Attempts', width: 74, isNumber: true, cell: ({ attempts }) => attempts },
    { id: 'failed', header: 'Failed', width: 90, isNumber: true, cell: ({ failedAt }) => <Ago at={failedAt} /> },
  ];
}
