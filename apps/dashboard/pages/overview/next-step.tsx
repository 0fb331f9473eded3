import type { Finding } from '@flotilla/contracts';
import { Link } from '@tanstack/react-router';

const PAGES: Record<
  string,
  { to: '/agents' | '/breakers' | '/dead-letters' | '/errors' | '/task-queues'; words: string }
> = {
  NO_WORKERS: { to: '/agents', words: 'Agents' },
  NO_HANDLER: { to: '/agents', words: 'Agents' },
  AGENT_UNHEALTHY: { to: '/agents', words: 'Agents' },
  AGENT_LOST: { to: '/agents', words: 'Agents' },
  BREAKER_OPEN: { to: '/breakers', words: 'Breakers' },
  QUEUE_STALLED: { to: '/task-queues', words: 'Queues' },
  OUTBOX_GROWING: { to: '/task-queues', words: 'Queues' },
  ERROR_BACK: { to: '/errors', words: 'Errors' },
  ERRORS_NEW: { to: '/errors', words: 'Errors' },
  DEAD_LETTERS: { to: '/dead-letters', words: 'Dead letters' },
};

/** The page where the next step of a finding is taken. */
export function NextStep({ finding: { code, filter } }: { finding: Finding }) {
  const page = PAGES[code];
  if (filter !== undefined) {
    return (
      <Link to="/runs" search={Object.fromEntries(new URLSearchParams(filter))} className="button">
        Show the runs
      </Link>
    );
  }
  if (page === undefined) return null;
  return (
    <Link to={page.to} className="button">
      {page.words}
    </Link>
  );
}
