import type { Gate, RunView } from '@flotilla/contracts';
import { Link } from '@tanstack/react-router';
import { useWhy } from '../api/runs.ts';
import { counted } from '../format.ts';
import { Ago } from '../parts/clock.tsx';
import { Icon } from '../parts/icon.tsx';
import type { IconName } from '../states.ts';

const GATE_ICONS: Partial<Record<Gate['gate'], IconName>> = {
  lease: 'ring',
  timer: 'clock',
  breaker: 'parked',
  pause: 'parked',
  storage: 'warning',
  handler: 'warning',
  'agent-health': 'warning',
  dependency: 'hollow',
};
const MOST_SHOWN = 6;

/** What holds the run: of each gate since when and until when, and what helps. Of an ended run how it failed. */
export function WhyWaits({ run, isActive }: { run: RunView; isActive: boolean }) {
  const why = useWhy(run.runId, isActive);
  if (!isActive) return <HowItFailed run={run} />;
  const gates = why.data?.gates.filter(({ gate }) => gate !== 'dependency') ?? [];
  if (gates.length === 0) return null;
  return (
    <section className="card" aria-label="What the run waits for">
      <ul className="why body">
        {gates.slice(0, MOST_SHOWN).map((gate) => (
          <GateLine key={`${gate.stepId} ${gate.gate} ${gate.subject}`} gate={gate} />
        ))}
        {gates.length > MOST_SHOWN ? (
          <li className="muted">
            <span />
            {`${why.data?.truncated ? 'at least ' : ''}${counted(gates.length - MOST_SHOWN, 'more')}`}
          </li>
        ) : null}
      </ul>
    </section>
  );
}

export function GateLine({ gate }: { gate: Gate }) {
  const { stepId, message, since, until, subject } = gate;
  return (
    <li>
      <Icon name={GATE_ICONS[gate.gate] ?? 'dotted'} />
      <span className="message">
        {stepId === undefined ? null : (
          <Link to="." search={(before) => ({ ...before, step: stepId })}>
            {stepId}
          </Link>
        )}
        {stepId === undefined ? '' : ': '}
        {message}{' '}
        <span className="muted nowrap">
          since <Ago at={since} />
          {until === undefined ? null : (
            <>
              , until <Ago at={until} />
            </>
          )}
        </span>
        {gate.gate === 'breaker' ? <Link to="/breakers"> Breaker {subject}</Link> : null}
        {gate.gate === 'agent-health' || gate.gate === 'handler' ? <Link to="/agents"> Agents</Link> : null}
      </span>
    </li>
  );
}

function HowItFailed({ run }: { run: RunView }) {
  const { error } = run;
  if (error === undefined) return null;
  return (
    <section className="card" aria-label="How it failed">
      <div className="body message">
        {error.stepId === undefined ? null : (
          <>
            <Link to="." search={(before) => ({ ...before, step: error.stepId })}>
              {error.stepId}
            </Link>
            {': '}
          </>
        )}
        <code>{error.code}</code> {error.message}
      </div>
    </section>
  );
}
