import type { BulkAction, BulkStarted } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { changeApi } from '../api/call-api.ts';
import { counted } from '../format.ts';
import { Confirm, problemText } from '../parts/confirm.tsx';
import { Menu } from '../parts/menu.tsx';
import { isEmptyFilter, type RunFilter, toQuery } from './run-filter.ts';

const ACTIONS: readonly { action: BulkAction; verb: string; says: string }[] = [
  {
    action: 'cancel',
    verb: 'Cancel',
    says: 'stops their attempts and undoes what they have done, where that is declared',
  },
  { action: 'retry', verb: 'Retry', says: 'opens them again from the steps that failed; finished work is kept' },
  { action: 'redrive', verb: 'Redrive', says: 'makes their dead letters again' },
  { action: 'pause', verb: 'Pause', says: 'starts no further step of them; running attempts finish' },
  { action: 'resume', verb: 'Resume', says: 'lets them go on' },
];
/** From here on the number has to be typed. */
const MANY = 50;

export interface BulkMenuProps {
  filter: RunFilter;
  chosen: readonly string[];
  onDone: () => void;
}

/** One action on the selected runs, or on all that fit the filter. */
export function BulkMenu({ filter, chosen, onDone }: BulkMenuProps) {
  const [action, setAction] = useState<(typeof ACTIONS)[number]>();
  const isFiltered = !isEmptyFilter(filter) && filter.id === undefined;
  if (chosen.length === 0 && !isFiltered) {
    return <span className="muted">Select runs or filter them to act on many</span>;
  }
  const target = chosen.length > 0 ? `${counted(chosen.length, 'selected run')}` : 'all that fit the filter';
  return (
    <>
      <Menu
        label={`Act on ${target}`}
        items={ACTIONS.map((each) => ({
          label: `${each.verb}…`,
          onSelect: () => setAction(each),
          isDangerous: each.action === 'cancel',
        }))}
      />
      {action === undefined ? null : (
        <BulkConfirm
          {...action}
          body={chosen.length > 0 ? { ids: chosen } : { filter: filterBody(filter) }}
          onClose={() => setAction(undefined)}
          onDone={onDone}
        />
      )}
    </>
  );
}

function filterBody(filter: RunFilter): Record<string, unknown> {
  return Object.fromEntries(Object.entries(toQuery(filter)).filter(([, value]) => value !== undefined && value !== ''));
}

interface BulkConfirmProps {
  action: BulkAction;
  verb: string;
  says: string;
  body: object;
  onClose: () => void;
  onDone: () => void;
}

/** Counts first, then asks. */
function BulkConfirm({ action, verb, says, body, onClose, onDone }: BulkConfirmProps) {
  const navigate = useNavigate();
  const preview = useQuery({
    queryKey: ['bulk-preview', action, body],
    queryFn: () => changeApi<BulkStarted>('POST', '/v1/bulk', { action, ...body, dryRun: true }),
    staleTime: 0,
    retry: false,
  });
  const total = preview.data?.count;
  const confirm = async () => {
    const { bulkId } = await changeApi<BulkStarted>('POST', '/v1/bulk', { action, ...body });
    onDone();
    if (bulkId !== undefined) await navigate({ to: '/bulk', search: { job: bulkId } });
  };
  return (
    <Confirm
      title={`${verb} ${total === undefined ? 'runs' : counted(total, 'run')}`}
      action={`${verb} ${total === undefined ? '' : counted(total, 'run')}`}
      isDangerous={action === 'cancel'}
      {...(total !== undefined && total >= MANY ? { typed: String(total) } : {})}
      onConfirm={confirm}
      onClose={onClose}
    >
      {preview.error === null ? null : <p className="problem-text">{problemText(preview.error)}</p>}
      <p>
        {total === undefined ? 'Counting…' : `It applies to ${counted(total, 'run')}`}: {says}. The runs are fixed now:
        what fits the filter later is not touched. You can follow and abort it.
      </p>
      {preview.data?.sample?.length ? (
        <p className="muted mono">
          {preview.data.sample.slice(0, 5).join(', ')}
          {(total ?? 0) > 5 ? ', …' : ''}
        </p>
      ) : null}
    </Confirm>
  );
}
