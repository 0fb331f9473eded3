import type { RunView } from '@flotilla/contracts';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { RUN_LOOKS } from '../states.ts';

export function RunTitle({ run: { workflow, version, status } }: { run: RunView }) {
  useEffect(() => {
    document.title = `${workflow} ${RUN_LOOKS[status].word} · Flotilla`;
  }, [workflow, status]);
  return (
    <Link to="/runs" search={{ workflow }} style={{ color: 'inherit' }}>
      {workflow}
      {version === undefined ? null : <span className="muted">@{version}</span>}
    </Link>
  );
}
