import type { CancelReceipt, RunRetried, RunView } from '@flotilla/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { changeApi, part } from '../api/call-api.ts';
import { useScope } from '../api/session.ts';
import { counted } from '../format.ts';
import { Confirm } from '../parts/confirm.tsx';
import { toast } from '../parts/toasts.tsx';

type Asked = 'cancel' | 'retry' | undefined;

/** What can be done with a run now, for those whose key may. */
export function RunActions({ run, isActive }: { run: RunView; isActive: boolean }) {
  const mayOperate = useScope('operate');
  const [asked, setAsked] = useState<Asked>();
  const navigate = useNavigate();
  const act = useRunAction(run.runId);
  const canRetry = !isActive && run.status !== 'succeeded';
  return (
    <div className="row wrap">
      {mayOperate && isActive && run.status !== 'paused' && run.status !== 'cancelling' ? (
        <button type="button" className="button" onClick={() => void act('pause')}>
          Pause
        </button>
      ) : null}
      {mayOperate && run.status === 'paused' ? (
        <button type="button" className="button primary" onClick={() => void act('resume')}>
          Resume
        </button>
      ) : null}
      {mayOperate && isActive && run.status !== 'cancelling' ? (
        <button type="button" className="button danger" onClick={() => setAsked('cancel')}>
          Cancel…
        </button>
      ) : null}
      {mayOperate && canRetry ? (
        <button type="button" className="button primary" onClick={() => setAsked('retry')}>
          Retry…
        </button>
      ) : null}
      <button
        type="button"
        className="button"
        onClick={() => void navigate({ to: '/compare', search: { run: run.runId } })}
      >
        Compare…
      </button>
      {asked === 'cancel' ? <CancelRun run={run} onClose={() => setAsked(undefined)} /> : null}
      {asked === 'retry' ? <RetryRun run={run} onClose={() => setAsked(undefined)} /> : null}
    </div>
  );
}

function useRefresh(runId: string) {
  const queryClient = useQueryClient();
  return () => {
    window.dispatchEvent(new CustomEvent(`history:${runId}`));
    return queryClient.invalidateQueries({ queryKey: ['run', runId] });
  };
}

function useRunAction(runId: string) {
  const refresh = useRefresh(runId);
  return async (action: 'pause' | 'resume') => {
    try {
      await changeApi('POST', `/v1/runs/${part(runId)}/${action}`);
      await refresh();
    } catch (error) {
      toast('red', (error as Error).message);
    }
  };
}

function CancelRun({ run, onClose }: { run: RunView; onClose: () => void }) {
  const [reason, setReason] = useState('');
  const refresh = useRefresh(run.runId);
  const cancel = async () => {
    const body = reason.trim() === '' ? {} : { reason: reason.trim() };
    const { receipt } = await changeApi<CancelReceipt>('POST', `/v1/runs/${part(run.runId)}/cancel?waitMs=2000`, body);
    const undone = receipt.compensated.length + receipt.cleanedUp.length;
    toast(
      receipt.alreadyEnded ? 'amber' : 'grey',
      receipt.alreadyEnded
        ? `It came too late: the run is ${receipt.outcome}.`
        : `Cancelled: ${counted(receipt.stoppedSteps.length, 'attempt')} stopped, ${counted(undone, 'cleanup')} made.`,
    );
    await refresh();
  };
  return (
    <Confirm title="Cancel this run" action="Cancel the run" isDangerous onConfirm={cancel} onClose={onClose}>
      <p>
        No further step starts, {counted(run.counts?.running ?? 0, 'running attempt')} will be stopped, and what its
        steps have declared as compensation or cleanup is made.
      </p>
      <label className="field">
        <span className="label">Reason, kept in its history (optional)</span>
        <input type="text" value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />
      </label>
    </Confirm>
  );
}

/** From the steps that failed, or from a step of one's choice. */
export function RetryRun({ run, from, onClose }: { run: RunView; from?: string; onClose: () => void }) {
  const refresh = useRefresh(run.runId);
  const queryClient = useQueryClient();
  const retry = async () => {
    const body = { ...(from === undefined ? {} : { from }), opening: run.opening ?? 1 };
    await changeApi<RunRetried>('POST', `/v1/runs/${part(run.runId)}/retry`, body);
    await refresh();
    await queryClient.invalidateQueries({ queryKey: ['steps', run.runId] });
  };
  return (
    <Confirm
      title={from === undefined ? 'Retry this run' : `Retry from ${from}`}
      action="Retry"
      onConfirm={retry}
      onClose={onClose}
    >
      <p>
        {from === undefined
          ? 'The run is opened again and goes on from the steps that failed or never settled. Finished work is kept.'
          : `The run is opened again. ${from} and everything that depends on it are made again, even what succeeded.`}
      </p>
    </Confirm>
  );
}
