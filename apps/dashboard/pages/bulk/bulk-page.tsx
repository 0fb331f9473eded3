import type { BulkItem, BulkState, BulkView } from '@flotilla/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { changeApi, part } from '../api/call-api.ts';
import { isAbsent, useBulk, useBulkItems, useBulks } from '../api/fleet.ts';
import { useScope } from '../api/session.ts';
import { count, counted } from '../format.ts';
import { Bar } from '../parts/bar.tsx';
import { Ago } from '../parts/clock.tsx';
import { problemText } from '../parts/confirm.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/empty.tsx';
import { CloseIcon } from '../parts/icon.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { RunId } from '../parts/run-id.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { toast } from '../parts/toasts.tsx';
import { RUN_LOOKS, STEP_LOOKS, type StateLook } from '../states.ts';

const LOOKS: Record<BulkState, StateLook> = {
  running: RUN_LOOKS.running,
  aborting: { word: 'aborting', icon: 'slash', role: 'amber' },
  aborted: { word: 'aborted', icon: 'slash', role: 'grey' },
  done: { word: 'done', icon: 'check', role: 'green' },
};

/** Actions on many runs: how far each is, what became of every run, and a way to stop. */
export function BulkPage() {
  const { job } = useSearch({ from: '/bulk' });
  const navigate = useNavigate({ from: '/bulk' });
  const bulks = useBulks();
  if (isAbsent(bulks.error)) return <Empty title="This scheduler has no bulk jobs" />;
  return (
    <Page title="Bulk jobs" answer={answer(bulks.data?.bulks)}>
      <div className={`run-body${job === undefined ? ' alone' : ''}`}>
        <Loaded query={bulks}>
          {(data) => (
            <div className="card">
              {data.bulks.length === 0 ? (
                <Empty title="No bulk job yet">
                  Filter or select runs on the <Link to="/runs">runs page</Link> and act on all of them.
                </Empty>
              ) : (
                <DataTable
                  label="Bulk jobs"
                  columns={COLUMNS}
                  rows={data.bulks}
                  rowId={({ bulkId }) => bulkId}
                  currentId={job}
                  onOpen={({ bulkId }) => void navigate({ search: { job: bulkId } })}
                />
              )}
            </div>
          )}
        </Loaded>
        {job === undefined ? null : <JobPanel id={job} onClose={() => void navigate({ search: {} })} />}
      </div>
    </Page>
  );
}

function answer(bulks: readonly BulkView[] | undefined): string {
  if (bulks === undefined) return '';
  const running = bulks.filter(({ state }) => state === 'running' || state === 'aborting').length;
  return running === 0 ? 'None is running' : `${counted(running, 'job')} running`;
}

const COLUMNS: readonly Column<BulkView>[] = [
  { id: 'state', header: 'State', width: 110, cell: ({ state }) => <StateMark look={LOOKS[state]} /> },
  {
    id: 'action',
    header: 'Action',
    width: 90,
    cell: ({ action, bulkId }) => (
      <Link to="/bulk" search={{ job: bulkId }}>
        {action}
      </Link>
    ),
  },
  {
    id: 'progress',
    header: 'Progress',
    width: 190,
    cell: ({ done, failed, total }) => (
      <span className="meter">
        <Bar share={(done + failed) / Math.max(1, total)} colour="blue" />
        {count(done + failed)}/{count(total)}
      </span>
    ),
  },
  { id: 'failed', header: 'Failed', width: 70, isNumber: true, cell: ({ failed }) => count(failed) },
  {
    id: 'filter',
    header: 'Of',
    width: 200,
    grows: true,
    cell: ({ filter }) => (
      <span className="mono">
        {filter === undefined
          ? 'selected runs'
          : Object.entries(filter)
              .map(([name, value]) => `${name}=${value}`)
              .join(' ')}
      </span>
    ),
  },
  { id: 'created', header: 'Started', width: 96, isNumber: true, cell: ({ createdAt }) => <Ago at={createdAt} /> },
];

function JobPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const job = useBulk(id);
  const items = useBulkItems(id);
  return (
    <aside className="card side-panel" aria-label={`Bulk job ${id}`}>
      <header>
        <h2 className="mono truncate">{id}</h2>
        <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
          <CloseIcon />
        </button>
      </header>
      <Loaded query={job}>{(data) => <JobSummary job={data} />}</Loaded>
      <Loaded query={items}>
        {(data) => (
          <section>
            <h3>Outcomes</h3>
            <Outcomes items={data.items} />
            {data.cursor === undefined ? null : <p className="muted">The first {counted(data.items.length, 'run')}.</p>}
          </section>
        )}
      </Loaded>
    </aside>
  );
}

function JobSummary({ job }: { job: BulkView }) {
  const mayOperate = useScope('operate');
  const queryClient = useQueryClient();
  const abort = async () => {
    try {
      await changeApi('POST', `/v1/bulk/${part(job.bulkId)}/abort`);
      await queryClient.invalidateQueries({ queryKey: ['bulk', job.bulkId] });
    } catch (error) {
      toast('red', problemText(error));
    }
  };
  return (
    <section>
      <div className="spread">
        <StateMark look={LOOKS[job.state]} />
        {mayOperate && job.state === 'running' ? (
          <button type="button" className="button danger" onClick={() => void abort()}>
            Abort
          </button>
        ) : null}
      </div>
      <Bar share={(job.done + job.failed) / Math.max(1, job.total)} colour="blue" />
      <p>
        {job.action} {counted(job.total, 'run')}: {count(job.done)} done, {count(job.failed)} failed
      </p>
      {job.reason === undefined ? null : <p className="muted">{job.reason}</p>}
    </section>
  );
}

const OUTCOME_LOOKS: Record<BulkItem['outcome'], StateLook> = {
  done: { word: 'done', icon: 'check', role: 'green' },
  unchanged: { word: 'unchanged', icon: 'dash', role: 'grey' },
  failed: STEP_LOOKS.failed,
  'not-tried': { word: 'not tried', icon: 'hollow', role: 'neutral' },
};

function Outcomes({ items }: { items: readonly BulkItem[] }) {
  return (
    <ul className="stack" style={{ gap: 4 }}>
      {items.map(({ runId, outcome, error }) => (
        <li key={runId}>
          <div className="spread">
            <RunId runId={runId} />
            <StateMark look={OUTCOME_LOOKS[outcome]} />
          </div>
          {error === undefined ? null : <p className="problem-text">{error.message}</p>}
        </li>
      ))}
    </ul>
  );
}
