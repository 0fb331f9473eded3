import { useMemo, useState } from 'react';
import { count } from '../format.ts';
import { StepState } from '../parts/state-mark.tsx';
import { FAILED_STEPS, STEP_STATUS_ORDER } from '../states.ts';
import type { RunSteps } from './use-run-steps.ts';

export interface MapItemsProps {
  stepId: string;
  steps: RunSteps;
  onSelect: (stepId: string) => void;
}

const MOST_LISTED = 20;

/** The items of a map by state, and those that failed or that a person asks for by number. */
export function MapItems({ stepId, steps, onSelect }: MapItemsProps) {
  const { folded } = steps;
  const items = folded.steps.get(stepId)?.items;
  const [number, setNumber] = useState('');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the fold is changed in place; its version says when
  const failed = useMemo(() => {
    const found: string[] = [];
    for (const record of folded.steps.values()) {
      if (!FAILED_STEPS.has(record.status) || !record.stepId.startsWith(`${stepId}[`)) continue;
      found.push(record.stepId);
      if (found.length === MOST_LISTED) break;
    }
    return found;
  }, [folded, folded.version, stepId]);
  return (
    <section>
      <h3>Items</h3>
      <ul className="stack" style={{ gap: 2 }}>
        {STEP_STATUS_ORDER.filter((status) => (items?.get(status) ?? 0) > 0).map((status) => (
          <li key={status} className="spread">
            <StepState status={status} />
            <span className="number">{count(items?.get(status) ?? 0)}</span>
          </li>
        ))}
      </ul>
      {failed.length === 0 ? null : (
        <div className="row wrap">
          <span className="muted">Failed:</span>
          {failed.map((id) => (
            <button key={id} type="button" className="chip" onClick={() => onSelect(id)}>
              {id.slice(stepId.length)}
            </button>
          ))}
        </div>
      )}
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (/^\d+$/.test(number)) onSelect(`${stepId}[${Number(number)}]`);
        }}
      >
        <label className="row">
          <span className="muted">Item</span>
          <input
            type="number"
            min={0}
            value={number}
            onChange={(event) => setNumber(event.target.value)}
            style={{ width: 90 }}
          />
        </label>
        <button type="submit" className="button">
          Show
        </button>
      </form>
    </section>
  );
}
