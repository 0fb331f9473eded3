import type { StepStatus, StepView } from '@flotilla/contracts';
import { useMemo } from 'react';
import type { FoldedRun, StepRecord } from './fold-history.ts';
import type { RunHistory } from './use-history.ts';

/** A step of the definition and what has become of it. */
export interface RunStep {
  view: StepView;
  /** Its place in the definition. */
  position: number;
  status: StepStatus;
  record: StepRecord | undefined;
}

export interface RunSteps {
  /** In the order of the definition, without items of maps. */
  list: readonly RunStep[];
  byId: ReadonlyMap<string, RunStep>;
  history: RunHistory;
  folded: FoldedRun;
  isLoaded: boolean;
}

const NONE: readonly StepView[] = [];

/** How each step stands: as the history tells it, and until that has been read as the list of steps said. */
export function useRunSteps(listed: readonly StepView[] | undefined, history: RunHistory): RunSteps {
  const { folded, isComplete } = history;
  const { version } = folded;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the fold is changed in place; its version says when
  return useMemo(() => {
    const list = (listed ?? NONE).map((view, position): RunStep => {
      const record = folded.steps.get(view.stepId);
      const status = isComplete ? (record?.status ?? settledBefore(view)) : view.status;
      return { view, position, status, record };
    });
    return {
      list,
      byId: new Map(list.map((step) => [step.view.stepId, step])),
      history,
      folded,
      isLoaded: listed !== undefined,
    };
  }, [listed, version, isComplete]);
}

/** A step that the history does not name: it waits, or was settled together with others. */
function settledBefore({ status }: StepView): StepStatus {
  return status === 'skipped' || status === 'cancelled' ? status : 'waiting';
}
