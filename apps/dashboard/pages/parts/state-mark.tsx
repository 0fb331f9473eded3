import type { RunStatus, StepStatus } from '@flotilla/contracts';
import { RUN_LOOKS, STEP_LOOKS, type StateLook } from '../states.ts';
import { Icon } from './icon.tsx';

/** Icon and word of a state, in its colour. */
export function StateMark({ look, badge = false }: { look: StateLook; badge?: boolean }) {
  return (
    <span className={`state role-${look.role}${badge ? ' badge' : ''}`}>
      <Icon name={look.icon} />
      {look.word}
    </span>
  );
}

export function RunState({ status, badge = false }: { status: RunStatus; badge?: boolean }) {
  return <StateMark look={RUN_LOOKS[status]} badge={badge} />;
}

export function StepState({ status }: { status: StepStatus }) {
  return <StateMark look={STEP_LOOKS[status]} />;
}
