import type { RunStatus, StepStatus } from '@flotilla/contracts';
import { lookOfStep, RUN_LOOKS, type StateLook } from '../states.ts';
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

export function StepState({ status, kind }: { status: StepStatus; kind?: string | undefined }) {
  return <StateMark look={lookOfStep(status, kind)} />;
}
