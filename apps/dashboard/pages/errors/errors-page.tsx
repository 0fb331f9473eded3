import type { ErrorGroup, ErrorGroupAction, ErrorGroupState } from '@flotilla/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { changeApi, part } from '../api/call-api.ts';
import { isAbsent, useErrors } from '../api/fleet.ts';
import { useScope } from '../api/session.ts';
import { count, counted } from '../format.ts';
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
import type { StateLook } from '../states.ts';

const LOOKS: Record<ErrorGroupState, StateLook> = {
  open: { word: 'open', icon: 'cross', role: 'red' },
  back: { word: 'it is back', icon: 'again', role: 'red' },
  resolved: { word: 'resolved', icon: 'check', role: 'green' },
  ignored: { word: 'ignored', icon: 'dash', role: 'grey' },
};
const STATES = Object.keys(LOOKS) as ErrorGroupState[];

/** Failures with one cause, as far as their texts say. */
export function ErrorsPage() {
  const { state, group } = useSearch({ from: '/errors' });
  const navigate = useNavigate({ from: '/errors' });
  const errors = useErrors(state);
  const open = useCallback(
    (group: string | undefined) => void navigate({ search: (before) => ({ ...before, group }) }),
    [navigate],
  );
  const columns = useMemo(() => errorColumns(open), [open]);
  if (isAbsent(errors.error)) return <Empty title="This scheduler does not group errors" />;
  const selected = errors.data?.errors.find(({ fingerprint }) => fingerprint === group);
  return (
    <Page title="Errors" answer={answer(errors.data?.errors, state)}>
      <section className="counts" aria-label="By state">
        {[undefined, ...STATES].map((each) => (
          <Link
            key={each ?? 'all'}
            to="/errors"
            search={each === undefined ? {} : { state: each }}
            className="count-chip"
            aria-current={state === each ? 'true' : undefined}
          >
            {each === undefined ? 'all' : <StateMark look={LOOKS[each]} />}
          </Link>
        ))}
      </section>
      <div className={`run-body${selected === undefined ? ' alone' : ''}`}>
        <Loaded query={errors}>
          {(data) => (
            <div className="card">
              {data.errors.length === 0 ? (
                <Empty
                  title={
                    state === undefined
                      ? 'Nothing has failed'
                      : `No error is ${LOOKS[state as ErrorGroupState]?.word ?? state}`
                  }
                />
              ) : (
                <DataTable
                  label="Error groups"
                  columns={columns}
                  rows={data.errors}
                  rowId={({ fingerprint }) => fingerprint}
                  currentId={group}
                  onOpen={({ fingerprint }) => open(fingerprint)}
                />
              )}
            </div>
          )}
        </Loaded>
        {selected === undefined ? null : <GroupPanel group={selected} onClose={() => open(undefined)} />}
      </div>
    </Page>
  );
}

function answer(groups: readonly ErrorGroup[] | undefined, state: string | undefined): string {
  if (groups === undefined) return '';
  const back = groups.filter((group) => group.state === 'back').length;
  const open = groups.filter((group) => group.state === 'open').length;
  if (state !== undefined) return counted(groups.length, 'group');
  if (back > 0)
    return `${counted(back, 'error that was resolved', 'errors that were resolved')} came back, ${open} open`;
  return open === 0 ? 'No error is open' : counted(open, 'open error');
}

function errorColumns(open: (fingerprint: string) => void): readonly Column<ErrorGroup>[] {
  return [
    { id: 'state', header: 'State', width: 106, cell: ({ state }) => <StateMark look={LOOKS[state]} /> },
    { id: 'code', header: 'Code', width: 170, cell: ({ code }) => <code title={code}>{code}</code> },
    {
      id: 'handler',
      header: 'Handler',
      width: 150,
      cell: ({ handler }) => <span title={handler}>{handler ?? '–'}</span>,
    },
    {
      id: 'message',
      header: 'Message',
      width: 240,
      grows: true,
      cell: ({ fingerprint, message }) => (
        <button
          type="button"
          className="button quiet"
          title={message}
          style={{ padding: 0, color: 'var(--text)' }}
          onClick={() => open(fingerprint)}
        >
          <Message text={message} />
        </button>
      ),
    },
    { id: 'count', header: 'Failures', width: 84, isNumber: true, cell: ({ count: failures }) => count(failures) },
    { id: 'runs', header: 'Runs', width: 70, isNumber: true, cell: ({ runs }) => count(runs) },
    {
      id: 'first',
      header: 'First seen',
      width: 92,
      isNumber: true,
      cell: ({ firstSeenAt }) => <Ago at={firstSeenAt} />,
    },
    { id: 'last', header: 'Last seen', width: 92, isNumber: true, cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
  ];
}

/** What varies is dimmed. */
function Message({ text }: { text: string }) {
  const parts = text.split('…');
  return (
    <span className="message">
      {parts.map((each, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text, which never move
        <span key={index}>
          {index === 0 ? null : <span className="varies">…</span>}
          {each}
        </span>
      ))}
    </span>
  );
}

const ACTIONS: Record<ErrorGroupState, readonly ErrorGroupAction[]> = {
  open: ['resolve', 'ignore'],
  back: ['resolve', 'ignore'],
  resolved: ['reopen'],
  ignored: ['reopen'],
};
const VERBS: Record<ErrorGroupAction, string> = { resolve: 'Resolve', ignore: 'Ignore', reopen: 'Open again' };

function GroupPanel({ group, onClose }: { group: ErrorGroup; onClose: () => void }) {
  const mayOperate = useScope('operate');
  const queryClient = useQueryClient();
  const act = async (action: ErrorGroupAction) => {
    try {
      await changeApi('POST', `/v1/errors/${part(group.fingerprint)}/${action}`);
      await queryClient.invalidateQueries({ queryKey: ['errors'] });
    } catch (error) {
      toast('red', problemText(error));
    }
  };
  return (
    <aside className="card side-panel" aria-label="Error group">
      <header>
        <h2>
          <code>{group.code}</code>
        </h2>
        <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
          <CloseIcon />
        </button>
      </header>
      <section>
        <StateMark look={LOOKS[group.state]} />
        <Message text={group.message} />
        <dl className="facts">
          <dt>Type</dt>
          <dd>{group.type}</dd>
          <dt>Handler</dt>
          <dd>{group.handler ?? 'none was involved'}</dd>
          <dt>Failures</dt>
          <dd>{count(group.count)}</dd>
          <dt>Newest run</dt>
          <dd>{group.exampleRunId === undefined ? 'removed' : <RunId runId={group.exampleRunId} />}</dd>
        </dl>
      </section>
      <section>
        <div className="row wrap">
          <Link to="/runs" search={{ error: group.fingerprint }} className="button">
            Show {counted(group.runs, 'run')}
          </Link>
          {mayOperate
            ? ACTIONS[group.state].map((action) => (
                <button key={action} type="button" className="button" onClick={() => void act(action)}>
                  {VERBS[action]}
                </button>
              ))
            : null}
        </div>
        <p className="muted">
          A resolved error that occurs again is shown as back. An ignored one is counted and not reported.
        </p>
      </section>
    </aside>
  );
}
