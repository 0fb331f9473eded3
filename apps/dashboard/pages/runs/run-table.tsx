import type { RunView } from '@flotilla/contracts';
import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { counted } from '../format.ts';
import { Ago, Took } from '../parts/clock.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/empty.tsx';
import { RunId } from '../parts/run-id.tsx';
import { RunState } from '../parts/state-mark.tsx';
import { hasEnded, waitWords } from '../states.ts';
import { isEmptyFilter, type RunFilter } from './run-filter.ts';
import type { RunRows } from './use-run-rows.ts';

export interface RunTableProps {
  list: RunRows;
  hidden: readonly string[];
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
  filter: RunFilter;
}

export function RunTable({ list, hidden, selected, onSelect, filter }: RunTableProps) {
  const navigate = useNavigate();
  const columns = useMemo(() => [selection(selected, onSelect), ...RUN_COLUMNS], [selected, onSelect]);
  const { rows, fresh } = list;
  if (rows.length === 0 && !list.isLoading && fresh === 0) return <NoRuns isFiltered={!isEmptyFilter(filter)} />;
  const notice =
    fresh === 0 ? null : (
      <button type="button" className="new-rows" onClick={list.showFresh}>
        {counted(fresh, 'new run')}: show
      </button>
    );
  return (
    <>
      {notice}
      <DataTable
        label="Runs"
        columns={columns}
        rows={rows}
        rowId={(run) => run.runId}
        hidden={hidden}
        onOpen={({ runId }) => void navigate({ to: '/runs/$runId', params: { runId } })}
        onEnd={list.loadMore}
      />
      <div className="table-foot">
        <span>
          {counted(rows.length, 'run')} shown{list.hasMore ? ', more below' : ''}
          {selected.size === 0 ? '' : ` · ${counted(selected.size, 'run')} selected`}
        </span>
      </div>
    </>
  );
}

function selection(selected: ReadonlySet<string>, onSelect: (selected: ReadonlySet<string>) => void): Column<RunView> {
  const toggle = (runId: string) => {
    const next = new Set(selected);
    if (!next.delete(runId)) next.add(runId);
    onSelect(next);
  };
  return {
    id: 'select',
    header: '',
    width: 30,
    cell: ({ runId }) => (
      <input
        type="checkbox"
        aria-label={`Select ${runId}`}
        checked={selected.has(runId)}
        onChange={() => toggle(runId)}
      />
    ),
  };
}

export const RUN_COLUMNS: readonly Column<RunView>[] = [
  { id: 'status', header: 'Status', width: 118, cell: ({ status }) => <RunState status={status} /> },
  { id: 'run', header: 'Run', width: 196, cell: ({ runId }) => <RunId runId={runId} /> },
  {
    id: 'workflow',
    header: 'Workflow',
    width: 160,
    cell: ({ workflow, version }) => (
      <span title={workflow}>
        {workflow}
        {version === undefined ? null : <span className="muted">@{version}</span>}
      </span>
    ),
  },
  { id: 'reason', header: 'Why', width: 260, grows: true, cell: (run) => <Reason run={run} /> },
  { id: 'tags', header: 'Tags', width: 100, cell: ({ tags }) => <span title={tags.join(' ')}>{tags.join(' ')}</span> },
  { id: 'started', header: 'Started', width: 96, isNumber: true, cell: ({ createdAt }) => <Ago at={createdAt} /> },
  {
    id: 'took',
    header: 'Took',
    width: 92,
    isNumber: true,
    cell: ({ createdAt, endedAt, status }) =>
      hasEnded(status) && endedAt === undefined ? '–' : <Took from={createdAt} to={endedAt} />,
  },
  {
    id: 'steps',
    header: 'Steps',
    width: 84,
    isNumber: true,
    cell: ({ counts }) =>
      counts === undefined || counts.steps === 0 ? '' : `${counts.settled ?? '–'}/${counts.steps}`,
  },
];

/** What holds a run, or what it failed with. */
function Reason({ run: { error, waiting, status } }: { run: RunView }) {
  if (error !== undefined) {
    return (
      <span title={error.message}>
        {error.stepId === undefined ? '' : `${error.stepId}: `}
        <code>{error.code}</code> <span className="muted">{error.message}</span>
      </span>
    );
  }
  if (hasEnded(status) || waiting === undefined || waiting.length === 0) return null;
  const text = waiting
    .map(({ reason, subject, steps }) => `${waitWords(reason, subject)}${steps === undefined ? '' : ` (${steps})`}`)
    .join(', ');
  return <span title={text}>waits for {text}</span>;
}

function NoRuns({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered)
    return <Empty title="No run fits this filter">Clear it, or wait: new runs appear by themselves.</Empty>;
  return (
    <Empty title="There are no runs yet">
      <span>Start one from a workflow's page, or from a terminal:</span>
      <pre className="code-block">
        {'./flotilla register examples/first-workflow/slow.yaml\n./flotilla run examples/first-workflow/slow.yaml'}
      </pre>
    </Empty>
  );
}
