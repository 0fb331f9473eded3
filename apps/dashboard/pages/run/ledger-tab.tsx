import type { LedgerKind, RunLedger } from '@flotilla/contracts';
import { useLedger } from '../api/runs.ts';
import { duration, percent } from '../format.ts';
import { Loaded } from '../parts/loaded.tsx';
import type { Role } from '../states.ts';

const KINDS: Record<LedgerKind, { words: string; role: Role; says: string }> = {
  running: { words: 'Running', role: 'blue', says: 'at least one attempt was under way' },
  queued: { words: 'Queued', role: 'strong', says: 'ready, and no worker had taken it' },
  'backing-off': { words: 'Backing off', role: 'amber', says: 'before the next attempt' },
  parked: { words: 'Parked', role: 'violet', says: 'held by a gate' },
  waiting: {
    words: 'Waiting',
    role: 'violet',
    says: 'for something from outside: a signal, a person, a request, a child run',
  },
  delay: { words: 'Delay', role: 'neutral', says: 'a step of kind delay' },
  paused: { words: 'Paused', role: 'violet', says: 'somebody had paused the run' },
  'cleaning-up': { words: 'Cleaning up', role: 'amber', says: 'compensations and cleanups' },
  ended: { words: 'Ended', role: 'grey', says: 'between its end and its retry' },
  overhead: { words: 'Overhead', role: 'red', says: 'Flotilla itself: deciding, writing, ending the run' },
};

export interface LedgerTabProps {
  runId: string;
  isActive: boolean;
  onSelect: (stepId: string) => void;
}

/** Where the time went. The parts add up to the wall clock. */
export function LedgerTab({ runId, isActive, onSelect }: LedgerTabProps) {
  const ledger = useLedger(runId, isActive);
  return (
    <Loaded query={ledger}>
      {(data) => (
        <div className="columns">
          <Parts ledger={data} />
          <CriticalPath ledger={data} onSelect={onSelect} />
        </div>
      )}
    </Loaded>
  );
}

function Parts({ ledger: { parts, wallMs, truncated } }: { ledger: RunLedger }) {
  const total = parts.reduce((sum, { ms }) => sum + ms, 0);
  const share = (ms: number) => (wallMs === 0 ? 0 : ms / wallMs);
  return (
    <section className="card">
      <header>
        <h2>Where {duration(wallMs)} went</h2>
      </header>
      <div className="body stack">
        <div className="ledger-bar" aria-hidden="true">
          {parts.map(({ kind, subject, ms }) => (
            <span
              key={`${kind} ${subject}`}
              className={`role-${KINDS[kind].role}`}
              style={{ width: `${share(ms) * 100}%` }}
            />
          ))}
        </div>
        {truncated ? <p className="banner">The history is longer than was read: the rest counts as overhead.</p> : null}
      </div>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col" className="number">
              Took
            </th>
            <th scope="col" className="number">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ kind, subject, ms }) => (
            <tr key={`${kind} ${subject}`}>
              <td>
                <span className={`tinted role-${KINDS[kind].role}`} aria-hidden="true">
                  ■{' '}
                </span>
                {KINDS[kind].words}
                {subject === undefined ? null : <code> {subject}</code>}
                <span className="muted"> {KINDS[kind].says}</span>
              </td>
              <td className="number nowrap">{duration(ms)}</td>
              <td className="number nowrap">{percent(share(ms))}</td>
            </tr>
          ))}
          <tr>
            <td>
              <strong>Sum</strong>
            </td>
            <td className="number nowrap">
              <strong>{duration(total)}</strong>
            </td>
            <td className="number nowrap">{percent(share(total))}</td>
          </tr>
        </tbody>
      </table>
    </section>
  );
}

function CriticalPath({ ledger, onSelect }: { ledger: RunLedger; onSelect: (stepId: string) => void }) {
  return (
    <section className="card">
      <header>
        <h2>Critical path</h2>
        <span className="muted">what decided when the run ended</span>
      </header>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" className="number">
              Waited
            </th>
            <th scope="col" className="number">
              From ready to end
            </th>
          </tr>
        </thead>
        <tbody>
          {ledger.criticalPath.map(({ stepId, readyAt, startedAt, ms }) => (
            <tr key={stepId}>
              <td>
                <button type="button" className="button quiet small" onClick={() => onSelect(stepId)}>
                  {stepId}
                </button>
              </td>
              <td className="number nowrap">{startedAt === undefined ? '–' : duration(startedAt - readyAt)}</td>
              <td className="number nowrap">{duration(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
