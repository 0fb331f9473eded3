import type { LogLine } from '@flotilla/contracts';
import { useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { isAbsent } from '../api/fleet.ts';
import { useLogIndex, useStepLogs } from '../api/runs.ts';
import { useScope } from '../api/session.ts';
import { absolute, counted, timeOfDay } from '../format.ts';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { saveFile } from '../runs/export-runs.ts';
import type { Role } from '../states.ts';
import type { RunTabProps } from './run-page.tsx';

const LEVEL_ROLES: Record<LogLine['level'], Role> = { debug: 'neutral', info: 'strong', warn: 'amber', error: 'red' };

/** What handlers wrote with ctx.logger, of one step. */
export function LogsTab({ run, isActive, onSelect }: RunTabProps) {
  const { step } = useSearch({ from: '/runs/$runId' });
  const index = useLogIndex(run.runId, isActive);
  const maySee = useScope('payloads');
  if (isAbsent(index.error)) return <Empty title="This scheduler keeps no logs of steps" />;
  if (!maySee) {
    return (
      <Empty title="This key may not see logs">They hold what handlers write, as payloads do: scope payloads.</Empty>
    );
  }
  return (
    <Loaded query={index}>
      {({ steps }) => {
        const [first] = steps;
        if (first === undefined) {
          return (
            <div className="card">
              <Empty title="No step has written a log line">Handlers write them with ctx.logger.</Empty>
            </div>
          );
        }
        const stepId = step ?? first.stepId;
        return (
          <section className="card" aria-label="Logs">
            <div className="table-tools">
              <label className="row">
                <span className="muted">Step</span>
                <select value={stepId} onChange={(event) => onSelect(event.target.value)}>
                  {steps.some((each) => each.stepId === stepId) ? null : <option>{stepId}</option>}
                  {steps.map(({ stepId: id, lines }) => (
                    <option key={id} value={id}>
                      {id} ({lines})
                    </option>
                  ))}
                </select>
              </label>
            </div>
            <StepLog runId={run.runId} stepId={stepId} isActive={isActive} />
          </section>
        );
      }}
    </Loaded>
  );
}

function StepLog({ runId, stepId, isActive }: { runId: string; stepId: string; isActive: boolean }) {
  const logs = useStepLogs(runId, stepId, isActive);
  const [isFollowing, setFollowing] = useState(isActive);
  const end = useRef<HTMLDivElement>(null);
  const length = logs.data?.lines.length ?? 0;
  useEffect(() => {
    if (isFollowing && length > 0) end.current?.scrollIntoView({ block: 'nearest' });
  }, [isFollowing, length]);
  const save = () => {
    const lines = (logs.data?.lines ?? []).map((line) => JSON.stringify(line)).join('\n');
    saveFile(`logs-${runId}-${stepId}.jsonl`, `${lines}\n`, 'application/jsonl');
  };
  return (
    <Loaded query={logs}>
      {({ lines, dropped }) => (
        <>
          <div className="table-foot">
            <span>
              {counted(lines.length, 'line')}
              {dropped === 0 ? '' : `; ${counted(dropped, 'older line')} not kept`}
            </span>
            <span className="row">
              <label className="row">
                <input type="checkbox" checked={isFollowing} onChange={(event) => setFollowing(event.target.checked)} />
                Follow
              </label>
              <button type="button" className="button small" onClick={save}>
                Download
              </button>
            </span>
          </div>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
          <div className="event-list" tabIndex={0} role="log" aria-label={`Log of ${stepId}`}>
            {lines.map((line) => (
              <Line key={line.seq} line={line} />
            ))}
            <div ref={end} />
          </div>
        </>
      )}
    </Loaded>
  );
}

function Line({ line: { at, level, message, fields, cut, attempt } }: { line: LogLine }) {
  return (
    <div className="log-row" title={`attempt ${attempt}, ${absolute(at)}`}>
      <span className="muted">{timeOfDay(at)}</span>
      <span className={`tinted role-${LEVEL_ROLES[level]}`}>{level}</span>
      <span className="text">
        {message}
        {fields === undefined ? null : <span className="muted"> {JSON.stringify(fields)}</span>}
        {cut ? <span className="muted"> … (cut)</span> : null}
      </span>
    </div>
  );
}
