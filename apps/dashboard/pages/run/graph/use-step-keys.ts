import { useEffect } from 'react';
import { FAILED_STEPS, LIVE_STEPS } from '../../states.ts';
import type { RunStep } from '../use-run-steps.ts';

/** n and N go through the steps that somebody has to look at: failed ones, and those that something holds. */
export function useStepKeys(
  list: readonly RunStep[],
  selected: string | undefined,
  onSelect: (stepId: string | undefined) => void,
): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { target, key } = event;
      const isTyping = target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      if (key === 'Escape') onSelect(undefined);
      if (key !== 'n' && key !== 'N') return;
      const found = list.filter(({ status }) => FAILED_STEPS.has(status) || LIVE_STEPS.has(status));
      if (found.length === 0) return;
      const at = found.findIndex(({ view }) => view.stepId === selected);
      const next = key === 'n' ? at + 1 : Math.max(at, 0) - 1;
      onSelect(found[(next + found.length) % found.length]?.view.stepId);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [list, selected, onSelect]);
}
