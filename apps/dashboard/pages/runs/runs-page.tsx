import type { RunView } from '@flotilla/contracts';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useScope } from '../api/session.ts';
import { counted } from '../format.ts';
import { problemText } from '../parts/confirm.tsx';
import { Page } from '../parts/page.tsx';
import { waitWords } from '../states.ts';
import { BulkMenu } from './bulk-menu.tsx';
import { ColumnMenu, useHiddenColumns } from './column-menu.tsx';
import { exportRuns } from './export-runs.ts';
import { FilterBar } from './filter-bar.tsx';
import { isEmptyFilter, type RunFilter, toQuery } from './run-filter.ts';
import { RunTable } from './run-table.tsx';
import { SavedViews } from './saved-views.tsx';
import { StatusCounts } from './status-counts.tsx';
import { useRunRows } from './use-run-rows.ts';

export function RunsPage() {
  const { hide, ...filter } = useSearch({ from: '/runs' });
  const navigate = useNavigate({ from: '/runs' });
  const change = (next: RunFilter) => void navigate({ search: { ...next, ...(hide === undefined ? {} : { hide }) } });
  const list = useRunRows(toQuery(filter));
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const columns = useHiddenColumns(hide, (next) => void navigate({ search: { ...filter, ...next }, replace: true }));
  const mayOperate = useScope('operate');
  const chosen = useMemo(() => [...selected], [selected]);
  return (
    <Page title="Runs" answer={<Answer filter={filter} rows={list.rows} hasMore={list.hasMore} />}>
      <FilterBar filter={filter} onChange={change} />
      <StatusCounts counts={list.counts} filter={filter} onChange={change} />
      <div className="card">
        <div className="table-tools">
          <div className="row wrap">
            <SavedViews filter={filter} onChange={change} />
            <ColumnMenu {...columns} />
            <button type="button" className="button" onClick={() => exportRuns(list.rows)}>
              Export
            </button>
          </div>
          {mayOperate ? <BulkMenu filter={filter} chosen={chosen} onDone={() => setSelected(new Set())} /> : null}
        </div>
        {list.error === null ? null : (
          <p className="problem-text body" role="alert" style={{ padding: 12 }}>
            {problemText(list.error)}
          </p>
        )}
        <RunTable list={list} hidden={columns.hidden} selected={selected} onSelect={setSelected} filter={filter} />
      </div>
    </Page>
  );
}

function Answer({ filter, rows, hasMore }: { filter: RunFilter; rows: readonly RunView[]; hasMore: boolean }) {
  const shown = hasMore ? `The newest ${counted(rows.length, 'run')}` : counted(rows.length, 'run');
  if (isEmptyFilter(filter)) return <>{shown}, the newest first</>;
  const [reason, subject] = (filter.waiting ?? '').split(':');
  const waits = reason ? ` waiting for ${waitWords(reason, subject)}` : '';
  return (
    <>
      {shown}
      {filter.status === undefined ? '' : ` ${filter.status}`}
      {filter.workflow === undefined ? '' : ` of ${filter.workflow}`}
      {filter.tag === undefined ? '' : ` tagged ${filter.tag}`}
      {waits}
    </>
  );
}
