import type { BulkDeadLettersDone, DeadLetterView } from '@flotilla/contracts';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { changeApi, part } from '../api/call-api.ts';
import { counted } from '../format.ts';
import { Confirm, problemText } from '../parts/confirm.tsx';
import { toast } from '../parts/toasts.tsx';
import type { LetterFilterValues } from './letter-filter.tsx';

export interface ActOnLettersProps {
  filter: LetterFilterValues;
  chosen: readonly DeadLetterView[];
  onDone: () => void;
}

type LetterAction = 'redrive' | 'discard';
/** Of one call with a filter. */
const MOST_AT_ONCE = 1000;
const MANY = 50;

/** Redrives or discards the selected letters, or all that fit the filter. */
export function ActOnLetters({ filter, chosen, onDone }: ActOnLettersProps) {
  const [action, setAction] = useState<LetterAction>();
  const target = chosen.length > 0 ? `${chosen.length} selected` : 'all that fit';
  return (
    <div className="row wrap">
      <button type="button" className="button" onClick={() => setAction('redrive')}>
        Redrive {target}…
      </button>
      <button type="button" className="button" onClick={() => setAction('discard')}>
        Discard {target}…
      </button>
      {action === undefined ? null : chosen.length > 0 ? (
        <ConfirmChosen action={action} chosen={chosen} onClose={() => setAction(undefined)} onDone={onDone} />
      ) : (
        <ConfirmFilter action={action} filter={filter} onClose={() => setAction(undefined)} />
      )}
    </div>
  );
}

const SAYS: Record<LetterAction, string> = {
  redrive: 'Their runs are opened again and go on from these steps; what succeeded is kept.',
  discard: 'They are taken off the list. Their runs stay as they ended, and can be retried all the same.',
};

interface ConfirmChosenProps {
  action: LetterAction;
  chosen: readonly DeadLetterView[];
  onClose: () => void;
  onDone: () => void;
}

function ConfirmChosen({ action, chosen, onClose, onDone }: ConfirmChosenProps) {
  const queryClient = useQueryClient();
  const act = async () => {
    const outcomes = await Promise.allSettled(
      chosen.map(({ runId, stepId, opening }) =>
        changeApi('POST', `/v1/dead-letters/${part(runId)}/${part(stepId)}/${action}`, { opening }),
      ),
    );
    const failed = outcomes.filter(({ status }) => status === 'rejected');
    tellOutcome(action, chosen.length - failed.length, failed.length);
    onDone();
    await queryClient.invalidateQueries({ queryKey: ['dead-letters'] });
  };
  return (
    <Confirm
      title={`${verb(action)} ${counted(chosen.length, 'dead letter')}`}
      action={verb(action)}
      isDangerous={action === 'discard'}
      onConfirm={act}
      onClose={onClose}
    >
      <p>{SAYS[action]}</p>
    </Confirm>
  );
}

interface ConfirmFilterProps {
  action: LetterAction;
  filter: LetterFilterValues;
  onClose: () => void;
}

/** A dry run says how many; then it is done. */
function ConfirmFilter({ action, filter, onClose }: ConfirmFilterProps) {
  const queryClient = useQueryClient();
  const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
  const isAll = Object.keys(given).length === 0;
  const body = { ...given, ...(isAll ? { all: true } : {}), limit: MOST_AT_ONCE };
  const path = `/v1/dead-letters/${action}`;
  const preview = useQuery({
    queryKey: ['letters-preview', action, given],
    queryFn: () => changeApi<BulkDeadLettersDone>('POST', path, { ...body, dryRun: true }),
    staleTime: 0,
    retry: false,
  });
  const total = preview.data?.items.length;
  const act = async () => {
    const done = await changeApi<BulkDeadLettersDone>('POST', path, body);
    const failed = done.items.filter(({ outcome }) => outcome === 'failed' || outcome === 'not-tried').length;
    tellOutcome(action, done.items.length - failed, failed);
    await queryClient.invalidateQueries({ queryKey: ['dead-letters'] });
  };
  return (
    <Confirm
      title={`${verb(action)} ${total === undefined ? 'dead letters' : counted(total, 'dead letter')}`}
      action={verb(action)}
      isDangerous={action === 'discard'}
      {...(total !== undefined && total >= MANY ? { typed: String(total) } : {})}
      onConfirm={act}
      onClose={onClose}
    >
      {preview.error === null ? null : <p className="problem-text">{problemText(preview.error)}</p>}
      <p>
        {total === undefined
          ? 'Counting…'
          : `${counted(total, 'dead letter')}${isAll ? ', all there are' : ' that fit the filter'}`}
        {preview.data?.more ? '; there are more, which take another go' : ''}. {SAYS[action]}
      </p>
    </Confirm>
  );
}

function verb(action: LetterAction): string {
  return action === 'redrive' ? 'Redrive' : 'Discard';
}

function tellOutcome(action: LetterAction, done: number, failed: number): void {
  const word = action === 'redrive' ? 'redriven' : 'discarded';
  const text = `${counted(done, 'dead letter')} ${word}${failed === 0 ? '' : `, ${failed} failed`}.`;
  toast(failed === 0 ? 'green' : 'red', text);
}
