import type { RunView } from '@flotilla/contracts';
import { useState } from 'react';
import { useStep, useWhy } from '../api/runs.ts';
import { useScope } from '../api/session.ts';
import { duration } from '../format.ts';
import { Ago, Took } from '../parts/clock.tsx';
import { CopyButton } from '../parts/copy.tsx';
import { CloseIcon } from '../parts/icon.tsx';
import { JsonView } from '../parts/json-view.tsx';
import { StateMark, StepState } from '../parts/state-mark.tsx';
import { isSettled, STEP_LOOKS, type StateLook } from '../states.ts';
import type { AttemptRecord } from './fold-history.ts';
import { MapItems } from './map-items.tsx';
import { RetryRun } from './run-actions.tsx';
import type { RunSteps } from './use-run-steps.ts';
import { GateLine } from './why-waits.tsx';

export interface StepPanelProps {
  run: RunView;
  stepId: string;
  steps: RunSteps;
  isActive: boolean;
  onSelect: (stepId: string | undefined) => void;
}

const ITEM = /^(.+)\[\d+\]$/;

/** One step: its state and why, each attempt, what it was given and gave. */
export function StepPanel({ run, stepId, steps, isActive, onSelect }: StepPanelProps) {
  const own = steps.byId.get(ITEM.exec(stepId)?.[1] ?? stepId);
  const record = steps.folded.steps.get(stepId);
  const step = useStep(run.runId, own?.position ?? -1, stepId, record?.since ?? 0);
  const status = record?.status ?? step.data?.status ?? own?.status ?? 'waiting';
  const view = step.data ?? (own?.view.stepId === stepId ? own.view : undefined);
  return (
    <aside className="card side-panel" aria-label={`Step ${stepId}`}>
      <header>
        <div className="stack" style={{ gap: 2, minWidth: 0 }}>
          <h2 className="id always">
            <span className="truncate">{view?.title ?? stepId}</span>
            <CopyButton text={stepId} what="step id" />
          </h2>
          <span className="row">
            <StepState status={status} kind={own?.view.kind} />
            <span className="muted">{view?.reason}</span>
          </span>
        </div>
        <button type="button" className="icon-button" onClick={() => onSelect(undefined)} aria-label="Close the step">
          <CloseIcon />
        </button>
      </header>
      <Facts view={view} />
      {isActive && !isSettled(status) ? <StepWhy runId={run.runId} stepId={stepId} /> : null}
      {view?.error === undefined ? null : (
        <section>
          <h3>Error</h3>
          <p className="message">
            <code>{view.error.code}</code> <span className="muted">({view.error.type})</span> {view.error.message}
          </p>
        </section>
      )}
      <StepRetry run={run} stepId={stepId} isActive={isActive} isItem={ITEM.test(stepId)} />
      <Attempts attempts={record?.attempts ?? []} />
      {record?.items === undefined ? null : <MapItems stepId={stepId} steps={steps} onSelect={onSelect} />}
      <section>
        <h3>Output</h3>
        <JsonView value={view?.output} what="output" />
      </section>
    </aside>
  );
}

function Facts({ view }: { view: RunSteps['list'][number]['view'] | undefined }) {
  if (view === undefined) return null;
  const rows = [
    ['Step', view.stepId],
    ['Kind', view.kind],
    ['Turn of', view.turnOf],
    ['Handler', view.use],
    ['Queue', view.queue],
    ['Needs', view.needs?.join(', ')],
    ['Worker', view.worker],
  ] as const;
  return (
    <section>
      <dl className="facts">
        {rows.map(([name, value]) =>
          value === undefined || value === '' ? null : (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
        {view.nextAttemptAt === undefined ? null : (
          <>
            <dt>Next attempt</dt>
            <dd>
              <Ago at={view.nextAttemptAt} />
            </dd>
          </>
        )}
      </dl>
    </section>
  );
}

function StepWhy({ runId, stepId }: { runId: string; stepId: string }) {
  const why = useWhy(runId, true, stepId);
  const gates = why.data?.gates ?? [];
  if (gates.length === 0) return null;
  return (
    <section>
      <h3>What it waits for</h3>
      <ul className="why">
        {gates.slice(0, 10).map((gate) => (
          <GateLine key={`${gate.gate} ${gate.subject}`} gate={gate} />
        ))}
      </ul>
    </section>
  );
}

interface StepRetryProps {
  run: RunView;
  stepId: string;
  isActive: boolean;
  isItem: boolean;
}

function StepRetry({ run, stepId, isActive, isItem }: StepRetryProps) {
  const mayOperate = useScope('operate');
  const [isAsked, setAsked] = useState(false);
  if (!mayOperate || isActive || isItem || run.status === 'succeeded') return null;
  return (
    <section>
      <div>
        <button type="button" className="button" onClick={() => setAsked(true)}>
          Retry from this step…
        </button>
      </div>
      {isAsked ? <RetryRun run={run} from={stepId} onClose={() => setAsked(false)} /> : null}
    </section>
  );
}

const ENDS: Record<NonNullable<AttemptRecord['end']>, StateLook> = {
  succeeded: STEP_LOOKS.succeeded,
  failed: STEP_LOOKS.failed,
  'timed-out': { word: 'timed out', icon: 'clock', role: 'red' },
  lost: { word: 'lost, not charged', icon: 'warning', role: 'amber' },
  cancelled: STEP_LOOKS.cancelled,
};
const MOST_ATTEMPTS = 50;

function Attempts({ attempts }: { attempts: readonly AttemptRecord[] }) {
  if (attempts.length === 0) return null;
  return (
    <section>
      <h3>{attempts.length === 1 ? 'Attempt' : `${attempts.length} attempts`}</h3>
      <ol className="stack">
        {attempts
          .slice(-MOST_ATTEMPTS)
          .toReversed()
          .map((attempt) => (
            <li key={`${attempt.attempt} ${attempt.startedAt}`} className="stack" style={{ gap: 2 }}>
              <div className="row wrap">
                <strong>{attempt.attempt}</strong>
                <StateMark look={attempt.end === undefined ? STEP_LOOKS.running : ENDS[attempt.end]} />
                <span className="muted">
                  <Ago at={attempt.startedAt} />, {attempt.endedAt === undefined ? 'for' : 'took'}{' '}
                  {attempt.endedAt === undefined ? (
                    <Took from={attempt.startedAt} to={undefined} />
                  ) : (
                    duration(attempt.endedAt - attempt.startedAt)
                  )}
                  {attempt.worker === undefined ? '' : `, on ${attempt.worker}`}
                </span>
              </div>
              {attempt.error === undefined ? null : (
                <p className="message">
                  <code>{attempt.error.code}</code> {attempt.error.message}
                </p>
              )}
            </li>
          ))}
      </ol>
    </section>
  );
}
