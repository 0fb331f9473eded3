import { Link } from '@tanstack/react-router';
import { problemText } from '../parts/confirm.tsx';
import { Empty } from '../parts/empty.tsx';

export function PageFailed({ error }: { error: Error }) {
  return (
    <div className="card" role="alert">
      <Empty title="This page failed">
        <span className="message">{problemText(error)}</span>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          Load it again
        </button>
      </Empty>
    </div>
  );
}

export function NotFound() {
  return (
    <Empty title="There is no such page">
      <Link to="/">Overview</Link>
    </Empty>
  );
}
