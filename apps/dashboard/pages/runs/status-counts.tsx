import type { RunCounts, RunStatus } from '@flotilla/contracts';
import { count } from '../format.ts';
import { StateMark } from '../parts/state-mark.tsx';
import { RUN_LOOKS, RUN_STATUS_ORDER, STEP_LOOKS, WAIT_LOOKS, waitWords } from '../states.ts';
import type { FilterProps } from './filter-bar.tsx';
import { without } from './run-filter.ts';

/** How many runs there are by status and by what they wait for; each is a filter. */
export function StatusCounts({ counts, filter, onChange }: FilterProps & { counts: RunCounts | undefined }) {
  if (counts === undefined) return null;
  const statuses = RUN_STATUS_ORDER.filter((status) => (counts.status[status] ?? 0) > 0 || filter.status === status);
  const isSplit = (reason: string) => Object.keys(counts.waiting).some((other) => other.startsWith(`${reason}:`));
  // `breaker` counts what `breaker:payments` counts: the parts say more.
  const reasons = Object.keys(counts.waiting).filter((reason) => (counts.waiting[reason] ?? 0) > 0 && !isSplit(reason));
  return (
    <section className="counts" aria-label="Counts by status and by reason for waiting">
      {statuses.map((status) => (
        <CountChip
          key={status}
          isOn={filter.status === status}
          total={counts.status[status as RunStatus] ?? 0}
          onToggle={(isOn) => onChange(isOn ? without(filter, 'status') : { ...filter, status })}
        >
          <StateMark look={RUN_LOOKS[status]} />
        </CountChip>
      ))}
      {reasons.map((key) => {
        const [reason = '', subject] = key.split(':', 2);
        const look = WAIT_LOOKS[reason] ?? STEP_LOOKS.waiting;
        return (
          <CountChip
            key={key}
            isOn={filter.waiting === key}
            total={counts.waiting[key] ?? 0}
            onToggle={(isOn) => onChange(isOn ? without(filter, 'waiting') : { ...filter, waiting: key })}
          >
            <StateMark look={{ ...look, word: `waits for ${waitWords(reason, subject)}` }} />
          </CountChip>
        );
      })}
    </section>
  );
}

interface CountChipProps {
  isOn: boolean;
  total: number;
  onToggle: (isOn: boolean) => void;
  children: React.ReactNode;
}

function CountChip({ isOn, total, onToggle, children }: CountChipProps) {
  return (
    <button type="button" className="count-chip" aria-pressed={isOn} onClick={() => onToggle(isOn)}>
      {children}
      <span className="number">{count(total)}</span>
    </button>
  );
}
