import type { StepStatus } from '@flotilla/contracts';
import { Handle, type Node, type NodeProps, Position } from '@xyflow/react';
import { memo } from 'react';
import { counted } from '../../format.ts';
import { Icon } from '../../parts/icon.tsx';
import { lookOfStep, STEP_LOOKS, STEP_STATUS_ORDER } from '../../states.ts';

interface StepNodeData extends Record<string, unknown> {
  label: string;
  /** In the place of a state: of a definition, what the step does. */
  does: string | undefined;
  status: StepStatus;
  /** Of one plain step. */
  kind: string | undefined;
  /** How many of the box's steps, or of a map's items, are in which status; of one plain step undefined. */
  counts: ReadonlyMap<StepStatus, number> | undefined;
  attempts: number;
  isSelected: boolean;
}

export type StepFlowNode = Node<StepNodeData, 'step'>;

export const StepNode = memo(function StepNode({ data }: NodeProps<StepFlowNode>) {
  const { label, does, status, kind, counts, attempts, isSelected } = data;
  const look = lookOfStep(status, kind);
  const classes = ['step-node', `role-${look.role}`, isSelected ? 'selected' : '', look.striped ? 'striped' : ''];
  if (status !== 'waiting' && status !== 'ready') classes.push('tint');
  return (
    <div className={classes.filter(Boolean).join(' ')} title={label}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="name truncate">{label}</span>
      <span className="sub">
        {does === undefined ? <Icon name={look.icon} /> : null}
        <span className="truncate">
          {does ?? look.word}
          {attempts > 1 ? `, ${counted(attempts, 'attempt')}` : ''}
        </span>
        {counts === undefined ? null : <ShareBar counts={counts} />}
      </span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

function ShareBar({ counts }: { counts: ReadonlyMap<StepStatus, number> }) {
  const total = [...counts.values()].reduce((sum, value) => sum + value, 0);
  const done = STEP_STATUS_ORDER.filter((status) => (counts.get(status) ?? 0) > 0);
  return (
    <>
      <span className="share-bar" aria-hidden="true">
        {done.map((status) => (
          <span
            key={status}
            className={`role-${STEP_LOOKS[status].role}`}
            style={{ width: `${((counts.get(status) ?? 0) / total) * 100}%` }}
          />
        ))}
      </span>
      <span className="muted nowrap">
        {counts.get('succeeded') ?? 0}/{total}
      </span>
    </>
  );
}
