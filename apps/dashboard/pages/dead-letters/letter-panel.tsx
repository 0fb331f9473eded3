import type { DeadLetterDetail, DeadLetterView } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { part, readApi } from '../api/call-api.ts';
import { Ago } from '../parts/clock.tsx';
import { CloseIcon } from '../parts/icon.tsx';
import { JsonView } from '../parts/json-view.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { RunId } from '../parts/run-id.tsx';

/** What happened to the step, and what it was given. */
export function LetterPanel({ letter, onClose }: { letter: DeadLetterView; onClose: () => void }) {
  const { runId, stepId, error } = letter;
  const detail = useQuery({
    queryKey: ['dead-letter', runId, stepId, letter.opening],
    queryFn: ({ signal }) => readApi<DeadLetterDetail>(`/v1/dead-letters/${part(runId)}/${part(stepId)}`, {}, signal),
  });
  return (
    <aside className="card side-panel" aria-label={`Dead letter ${stepId}`}>
      <header>
        <h2>{stepId}</h2>
        <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
          <CloseIcon />
        </button>
      </header>
      <section>
        <p className="message">
          <code>{error.code}</code> <span className="muted">({error.type})</span> {error.message}
        </p>
        <dl className="facts">
          <dt>Run</dt>
          <dd>
            <RunId runId={runId} step={stepId} />
          </dd>
          <dt>Handler</dt>
          <dd>{letter.use ?? 'none'}</dd>
          <dt>Attempts</dt>
          <dd>{letter.attempts}</dd>
          <dt>Failed</dt>
          <dd>
            <Ago at={letter.failedAt} />
          </dd>
        </dl>
      </section>
      <Loaded query={detail}>{(data) => <Given detail={data} />}</Loaded>
    </aside>
  );
}

function Given({ detail }: { detail: DeadLetterDetail }) {
  return (
    <>
      <section>
        <h3>Input of the run</h3>
        <JsonView value={detail.run.input} what="input" />
      </section>
      <section>
        <h3>Input of the step, as defined</h3>
        <JsonView value={detail.inputTemplate} what="input template" />
      </section>
      <section>
        <h3>What happened</h3>
        <ol className="stack" style={{ gap: 2 }}>
          {detail.events.slice(-20).map(({ seq, at, type }) => (
            <li key={seq} className="spread">
              <span>{type}</span>
              <span className="muted">
                <Ago at={at} />
              </span>
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}
