import type { UseQueryResult } from '@tanstack/react-query';
import { ApiProblem } from '../api/call-api.ts';
import { Ago } from './clock.tsx';
import { problemText } from './confirm.tsx';
import { Empty } from './empty.tsx';

export interface LoadedProps<Data> {
  query: UseQueryResult<Data>;
  children: (data: Data) => React.ReactNode;
}

/** What a query brought. When it cannot be refreshed the last state stays, dimmed, with its age. */
export function Loaded<Data>({ query, children }: LoadedProps<Data>) {
  const { data, error, dataUpdatedAt } = query;
  if (data === undefined) {
    if (error === null) return <Skeleton />;
    return <Failed error={error} retry={() => void query.refetch()} />;
  }
  if (error === null) return children(data);
  return (
    <>
      <div className="banner" role="status">
        <span>
          {problemText(error)} What you see is from <Ago at={dataUpdatedAt} />.
        </span>
        <button type="button" className="button small" onClick={() => void query.refetch()}>
          Try again
        </button>
      </div>
      <div className="stale stack loose">{children(data)}</div>
    </>
  );
}

function Failed({ error, retry }: { error: Error; retry: () => void }) {
  if (error instanceof ApiProblem && error.status === 404) return <Empty title={error.message} />;
  return (
    <div className="card">
      <div className="empty" role="alert">
        <strong>This cannot be shown now</strong>
        <span className="message">{problemText(error)}</span>
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      </div>
    </div>
  );
}

const LINES = ['62%', '48%', '71%', '55%', '40%'];

function Skeleton() {
  return (
    <div className="card">
      <div className="body stack" role="status" aria-label="Loading">
        {LINES.map((width) => (
          <div key={width} className="skeleton" style={{ width }} />
        ))}
      </div>
    </div>
  );
}
