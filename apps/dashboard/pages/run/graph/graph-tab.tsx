import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useLedger } from '../../api/runs.ts';
import { count, counted } from '../../format.ts';
import { Empty } from '../../parts/empty.tsx';
import { StepState } from '../../parts/state-mark.tsx';
import { FAILED_STEPS, isSettled, LIVE_STEPS, lookOfStep, STEP_STATUS_ORDER } from '../../states.ts';
import type { RunTabProps } from '../run-page.tsx';
import type { RunStep } from '../use-run-steps.ts';
import { MOST_UNFOLDED_STEPS, planGraph } from './plan-graph.ts';
import { StepGraph } from './step-graph.tsx';
import { useStepKeys } from './use-step-keys.ts';

const ONLY = [
  [undefined, 'All steps'],
  ['failed', 'Only failed'],
  ['left', 'Only what is left'],
] as const;

export function GraphTab({ run, steps, isActive, onSelect }: RunTabProps) {
  const { only, fold, step } = useSearch({ from: '/runs/$runId' });
  const navigate = useNavigate({ from: '/runs/$runId' });
  const [isCritical, setCritical] = useState(false);
  const { list } = steps;
  const canFold = list.length > MOST_UNFOLDED_STEPS;
  const isFolded = canFold && fold !== 'none' && only === undefined;
  const shown = useShown(list, only);
  const structure = shown.map(({ view }) => view.stepId).join(' ');
  // biome-ignore lint/correctness/useExhaustiveDependencies: statuses change all the time, the structure does not
  const plan = useMemo(() => planGraph(shown, isFolded), [structure, isFolded]);
  const ledger = useLedger(run.runId, isActive && isCritical);
  const critical = useMemo(
    () => new Set(isCritical ? ledger.data?.criticalPath.map(({ stepId }) => stepId) : []),
    [isCritical, ledger.data],
  );
  useStepKeys(list, step, onSelect);
  if (!steps.isLoaded) return <div className="card graph" aria-busy="true" />;
  const change = (next: { only?: string | undefined; fold?: string | undefined }) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  return (
    <div className="stack">
      <div className="graph-tools spread">
        <StepCounts list={list} />
        <div className="row wrap">
          <select
            aria-label="Which steps"
            value={only ?? ''}
            onChange={(event) => change({ only: event.target.value || undefined })}
          >
            {ONLY.map(([value, words]) => (
              <option key={words} value={value ?? ''}>
                {words}
              </option>
            ))}
          </select>
          {canFold && only === undefined ? (
            <button type="button" className="button" onClick={() => change({ fold: isFolded ? 'none' : undefined })}>
              {isFolded ? `Show all ${count(list.length)} steps` : 'Fold steps that are alike'}
            </button>
          ) : null}
          <label className="row">
            <input type="checkbox" checked={isCritical} onChange={(event) => setCritical(event.target.checked)} />
            Critical path
          </label>
        </div>
      </div>
      {shown.length === 0 ? (
        <div className="card">
          <Empty title={only === 'failed' ? 'No step has failed' : 'Nothing is left to do'} />
        </div>
      ) : (
        <StepGraph plan={plan} steps={steps} selected={step} critical={critical} onSelect={onSelect} />
      )}
    </div>
  );
}

function useShown(list: readonly RunStep[], only: string | undefined): readonly RunStep[] {
  return useMemo(() => {
    if (only === 'failed') return list.filter(({ status }) => FAILED_STEPS.has(status));
    if (only === 'left') return list.filter(({ status }) => !isSettled(status));
    return list;
  }, [list, only]);
}

function StepCounts({ list }: { list: readonly RunStep[] }) {
  const byWord = Map.groupBy(list, ({ status, view }) => lookOfStep(status, view.kind).word);
  const groups = [...byWord.values()].sort((a, b) => rankOf(a) - rankOf(b));
  const hint = list.some(({ status }) => LIVE_STEPS.has(status) || FAILED_STEPS.has(status));
  return (
    <div className="row wrap" style={{ gap: 12 }}>
      <span className="muted">{counted(list.length, 'step')}</span>
      {groups.map(([first, ...others]) =>
        first === undefined ? null : (
          <span key={lookOfStep(first.status, first.view.kind).word} className="row" style={{ gap: 4 }}>
            <StepState status={first.status} kind={first.view.kind} />
            <span>{count(others.length + 1)}</span>
          </span>
        ),
      )}
      {hint ? (
        <span className="muted">
          <kbd>n</kbd> next failed or waiting
        </span>
      ) : null}
    </div>
  );
}

function rankOf([first]: readonly RunStep[]): number {
  return first === undefined ? 0 : STEP_STATUS_ORDER.indexOf(first.status);
}
