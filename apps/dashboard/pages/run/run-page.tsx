import type { RunView } from '@flotilla/contracts';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Tabs } from 'radix-ui';
import { useMemo } from 'react';
import { useRun, useSteps } from '../api/runs.ts';
import { Took } from '../parts/clock.tsx';
import { CopyButton } from '../parts/copy.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { RunState } from '../parts/state-mark.tsx';
import { hasEnded } from '../states.ts';
import { CleanupTab } from './cleanup-tab.tsx';
import { GraphTab } from './graph/graph-tab.tsx';
import { HistoryTab } from './history-tab.tsx';
import { LedgerTab } from './ledger-tab.tsx';
import { LogsTab } from './logs-tab.tsx';
import { PayloadTab } from './payload-tab.tsx';
import { RunActions } from './run-actions.tsx';
import { RunTitle } from './run-title.tsx';
import { StepPanel } from './step-panel.tsx';
import { TimelineTab } from './timeline/timeline-tab.tsx';
import { useHistory } from './use-history.ts';
import { type RunSteps, useRunSteps } from './use-run-steps.ts';
import { WhyWaits } from './why-waits.tsx';

export function RunPage() {
  const { runId } = useParams({ from: '/runs/$runId' });
  const run = useRun(runId);
  return (
    <div className="page">
      <Loaded query={run}>{(data) => <RunBody key={runId} run={data} />}</Loaded>
    </div>
  );
}

const TABS = [
  ['graph', 'Graph'],
  ['timeline', 'Timeline'],
  ['history', 'History'],
  ['logs', 'Logs'],
  ['payloads', 'Input and output'],
  ['ledger', 'Ledger'],
] as const;

function RunBody({ run }: { run: RunView }) {
  const { runId } = run;
  const isActive = !hasEnded(run.status);
  const search = useSearch({ from: '/runs/$runId' });
  const navigate = useNavigate({ from: '/runs/$runId' });
  const change = (next: Partial<typeof search>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const history = useHistory(run);
  const listed = useSteps(runId, run.opening ?? 1);
  const steps = useRunSteps(listed.data, history);
  const select = (step: string | undefined) => change({ step });
  return (
    <>
      <RunHead run={run} isActive={isActive} />
      <Tabs.Root value={search.tab ?? 'graph'} onValueChange={(tab) => change({ tab })} activationMode="manual">
        <Tabs.List className="tabs" aria-label="Views of the run">
          {TABS.map(([value, label]) => (
            <Tabs.Trigger key={value} value={value} className="tab">
              {label}
            </Tabs.Trigger>
          ))}
          {run.cleanups === undefined ? null : (
            <Tabs.Trigger value="cleanups" className="tab">
              Cleanups
            </Tabs.Trigger>
          )}
        </Tabs.List>
        <div className={`run-body${search.step === undefined ? ' alone' : ''}`} style={{ marginTop: 12 }}>
          <RunTab tab={search.tab ?? 'graph'} run={run} steps={steps} isActive={isActive} onSelect={select} />
          {search.step === undefined ? null : (
            <StepPanel run={run} stepId={search.step} steps={steps} onSelect={select} isActive={isActive} />
          )}
        </div>
      </Tabs.Root>
    </>
  );
}

export interface RunTabProps {
  run: RunView;
  steps: RunSteps;
  isActive: boolean;
  onSelect: (stepId: string | undefined) => void;
}

function RunTab({ tab, ...props }: RunTabProps & { tab: string }) {
  const { run, isActive } = props;
  const view = useMemo(() => {
    if (tab === 'timeline') return TimelineTab;
    if (tab === 'history') return HistoryTab;
    if (tab === 'logs') return LogsTab;
    return GraphTab;
  }, [tab]);
  const View = view;
  return (
    <Tabs.Content value={tab} style={{ minWidth: 0 }}>
      {tab === 'payloads' ? <PayloadTab run={run} /> : null}
      {tab === 'ledger' ? <LedgerTab runId={run.runId} isActive={isActive} onSelect={props.onSelect} /> : null}
      {tab === 'cleanups' ? <CleanupTab runId={run.runId} isActive={isActive} /> : null}
      {['payloads', 'ledger', 'cleanups'].includes(tab) ? null : <View {...props} />}
    </Tabs.Content>
  );
}

function RunHead({ run, isActive }: { run: RunView; isActive: boolean }) {
  return (
    <div className="run-head">
      <div className="page-head">
        <div className="stack" style={{ gap: 4, minWidth: 0 }}>
          <h1 className="row wrap">
            <RunTitle run={run} />
            <RunState status={run.status} badge />
          </h1>
          <div className="row wrap muted">
            <span className="id always">
              <code className="truncate">{run.runId}</code>
              <CopyButton text={run.runId} what="run id" />
            </span>
            <span>
              {isActive ? 'running for' : 'took'} <Took from={run.createdAt} to={run.endedAt} />
            </span>
            {run.counts?.settled === undefined ? null : (
              <span>
                {run.counts.settled} of {run.counts.steps} steps settled
              </span>
            )}
            {run.traceId === undefined ? null : (
              <span className="id always">
                trace <code className="truncate">{run.traceId.slice(0, 8)}</code>
                <CopyButton text={run.traceId} what="trace id" />
              </span>
            )}
            {(run.opening ?? 1) > 1 ? <span>opened {run.opening} times</span> : null}
            {run.tags.map((tag) => (
              <span key={tag} className="chip">
                {tag}
              </span>
            ))}
          </div>
        </div>
        <RunActions run={run} isActive={isActive} />
      </div>
      <WhyWaits run={run} isActive={isActive} />
    </div>
  );
}
