import type { StepStatus } from '@flotilla/contracts';
import { Background, Controls, type Edge, ReactFlow, type ReactFlowInstance, type Viewport } from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { useEffect, useMemo, useRef, useState } from 'react';
import { counted } from '../../format.ts';
import type { RunSteps } from '../use-run-steps.ts';
import { layOut, NODE_HEIGHT, NODE_WIDTH, type Positions } from './lay-out.ts';
import { LEAST_ZOOM_OF_PARTS, MOST_DRAWN_WHOLE, partInSight, type Sight, sightOf } from './part-in-sight.ts';
import { countStatuses, type GraphNode, type GraphPlan, leadingStatus } from './plan-graph.ts';
import { type StepFlowNode, StepNode } from './step-node.tsx';

export interface StepGraphProps {
  plan: GraphPlan;
  steps: RunSteps;
  selected: string | undefined;
  critical: ReadonlySet<string>;
  onSelect: (stepId: string | undefined) => void;
  /** A definition: nothing of it runs, so boxes say what they do. */
  isPreview?: boolean;
}

const NODE_TYPES = { step: StepNode };
/** Where a large graph opens: at its beginning. */
const OPENING: Viewport = { x: 24, y: 24, zoom: 0.7 };
/** Smaller than this a box cannot be read: a large graph opens at its beginning instead of whole. */
const LEAST_READABLE_ZOOM = 0.45;

export function StepGraph(props: StepGraphProps) {
  const { plan, steps, selected, critical, onSelect } = props;
  const positions = usePositions(plan);
  const { part, isPart, look } = usePart(plan, positions);
  const nodes = useFlowNodes({ ...props, plan: part }, positions);
  const edges = useFlowEdges(part, critical);
  const flow = useRef<ReactFlowInstance<StepFlowNode, Edge>>(null);
  useShowSelected(flow, positions, plan, selected);
  const choose = (id: string) => {
    const node = plan.nodes.find((each) => each.id === id);
    onSelect(node === undefined ? undefined : memberToShow(node, steps));
  };
  return (
    <div className="card graph" style={positions === undefined ? {} : { height: heightOf(positions) }}>
      {positions === undefined ? (
        <p className="empty" role="status">
          Laying out {counted(plan.nodes.length, 'box', 'boxes')}…
        </p>
      ) : (
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          onInit={(instance) => {
            flow.current = instance;
            openAt(instance, positions, isPart);
          }}
          onNodeClick={(_event, node) => choose(node.id)}
          onSelectionChange={({ nodes: [node] }) => {
            if (node !== undefined && !node.data.isSelected) choose(node.id);
          }}
          nodesDraggable={false}
          nodesConnectable={false}
          edgesFocusable={false}
          onMoveEnd={(_event, viewport) => look(viewport)}
          minZoom={isPart ? LEAST_ZOOM_OF_PARTS : 0.05}
          maxZoom={1.5}
          proOptions={{ hideAttribution: true }}
          aria-label="Graph of the run's steps"
        >
          <Background gap={20} size={1} color="var(--line)" />
          <Controls showInteractive={false} />
        </ReactFlow>
      )}
    </div>
  );
}

/** As high as the graph is, so that three boxes do not stand in an empty hall; never higher than the window allows. */
function heightOf(positions: Positions): string {
  const bottom = Math.max(...[...positions.values()].map(({ y }) => y), 0) + NODE_HEIGHT;
  return `min(68vh, 720px, ${Math.max(200, Math.round(bottom) + 90)}px)`;
}

/** Of a large graph the part that is looked at, of others all. */
function usePart(plan: GraphPlan, positions: Positions | undefined) {
  const isPart = plan.nodes.length > MOST_DRAWN_WHOLE;
  const [sight, setSight] = useState<Sight>(() => sightOf(OPENING, 1200, 720));
  const part = useMemo(
    () => (isPart && positions !== undefined ? partInSight(plan, positions, sight) : plan),
    [isPart, plan, positions, sight],
  );
  const look = (viewport: Viewport) => {
    const { clientWidth = 1200, clientHeight = 720 } = document.querySelector('.graph') ?? {};
    if (isPart) setSight(sightOf(viewport, clientWidth, clientHeight));
  };
  return { part, isPart, look };
}

/** The whole graph when it can be read then, else its beginning. */
function openAt(flow: ReactFlowInstance<StepFlowNode, Edge>, positions: Positions, isPart: boolean): void {
  if (isPart) {
    void flow.setViewport(OPENING);
    return;
  }
  void flow.fitView({ padding: 0.08, maxZoom: 1 }).then(() => {
    if (flow.getZoom() >= LEAST_READABLE_ZOOM) return;
    const [first] = [...positions.values()].sort((a, b) => a.x - b.x || a.y - b.y);
    if (first !== undefined) void flow.setCenter(first.x + 400, first.y + 100, { zoom: 0.7 });
  });
}

function usePositions(plan: GraphPlan): Positions | undefined {
  const [laidOut, setLaidOut] = useState<{ plan: GraphPlan; positions: Positions }>();
  useEffect(() => {
    let isCurrent = true;
    void layOut(plan).then((positions) => {
      if (isCurrent) setLaidOut({ plan, positions });
    });
    return () => {
      isCurrent = false;
    };
  }, [plan]);
  return laidOut?.plan === plan ? laidOut.positions : undefined;
}

/** Boxes that have not changed stay the same objects, so that only the others are drawn again. */
function useFlowNodes(props: StepGraphProps, positions: Positions | undefined): StepFlowNode[] {
  const { plan, steps, selected, isPreview = false } = props;
  const cache = useRef(new Map<string, StepFlowNode>());
  return useMemo(() => {
    if (positions === undefined) return [];
    const before = cache.current;
    const next = new Map<string, StepFlowNode>();
    for (const node of plan.nodes) {
      const made = flowNode(node, positions, steps, { selected, isPreview });
      const former = before.get(node.id);
      next.set(node.id, former !== undefined && isSame(former, made) ? former : made);
    }
    cache.current = next;
    return [...next.values()];
  }, [plan, positions, steps, selected, isPreview]);
}

function flowNode(
  node: GraphNode,
  positions: Positions,
  steps: RunSteps,
  { selected, isPreview }: { selected: string | undefined; isPreview: boolean },
): StepFlowNode {
  const statusOf = (stepId: string): StepStatus => steps.byId.get(stepId)?.status ?? 'waiting';
  const [only] = node.members;
  const items = node.members.length === 1 && only !== undefined ? steps.folded.steps.get(only)?.items : undefined;
  const counts = node.members.length > 1 ? countStatuses(node.members, statusOf) : items;
  const status = node.members.length > 1 ? leadingStatus(counts ?? new Map()) : statusOf(only ?? '');
  const attempts = node.members.length > 1 ? 0 : (steps.folded.steps.get(only ?? '')?.attempts.length ?? 0);
  const isSelected = selected !== undefined && (node.members.includes(selected) || selected.startsWith(`${only}[`));
  return {
    id: node.id,
    type: 'step',
    position: positions.get(node.id) ?? { x: 0, y: 0 },
    width: NODE_WIDTH,
    height: NODE_HEIGHT,
    ariaLabel: isPreview ? node.label : `${node.label}: ${status}`,
    data: {
      label: node.label,
      does: isPreview ? doesOf(steps.byId.get(only ?? '')) : undefined,
      status,
      kind: node.members.length > 1 ? undefined : steps.byId.get(only ?? '')?.view.kind,
      counts: counts === undefined || isPreview ? undefined : new Map(counts),
      attempts,
      isSelected,
    },
  };
}

function doesOf(step: RunSteps['list'][number] | undefined): string {
  return step?.view.use ?? step?.view.kind ?? '';
}

function isSame({ data: a, position: p }: StepFlowNode, { data: b, position: q }: StepFlowNode): boolean {
  if (a.status !== b.status || a.isSelected !== b.isSelected || a.attempts !== b.attempts) return false;
  if (p.x !== q.x || p.y !== q.y || (a.counts === undefined) !== (b.counts === undefined)) return false;
  for (const [status, value] of b.counts ?? []) if (a.counts?.get(status) !== value) return false;
  return true;
}

function useFlowEdges(plan: GraphPlan, critical: ReadonlySet<string>): Edge[] {
  return useMemo(() => {
    const isCritical = new Map(plan.nodes.map((node) => [node.id, node.members.some((id) => critical.has(id))]));
    return plan.edges.map(({ id, from, to }) => ({
      id,
      source: from,
      target: to,
      focusable: false,
      className: isCritical.get(from) && isCritical.get(to) ? 'critical' : '',
    }));
  }, [plan, critical]);
}

/** A step that was chosen elsewhere, by key or by link, comes into sight. */
function useShowSelected(
  flow: React.RefObject<ReactFlowInstance<StepFlowNode, Edge> | null>,
  positions: Positions | undefined,
  plan: GraphPlan,
  selected: string | undefined,
): void {
  useEffect(() => {
    const node = plan.nodes.find(({ members }) => selected !== undefined && members.includes(selected));
    const position = node === undefined ? undefined : positions?.get(node.id);
    if (position === undefined || flow.current === null) return;
    const { x, y, zoom } = flow.current.getViewport();
    const left = position.x * zoom + x;
    const top = position.y * zoom + y;
    const { clientWidth = 800, clientHeight = 500 } = document.querySelector('.graph') ?? {};
    const isInSight = left > 0 && top > 0 && left < clientWidth - 120 && top < clientHeight - 40;
    if (!isInSight) {
      void flow.current.setCenter(position.x + NODE_WIDTH / 2, position.y + NODE_HEIGHT / 2, {
        zoom: Math.max(zoom, LEAST_READABLE_ZOOM),
      });
    }
  }, [flow, positions, plan, selected]);
}

/** Of a folded box the member that somebody has to look at. */
function memberToShow(node: GraphNode, steps: RunSteps): string | undefined {
  const leading = leadingStatus(countStatuses(node.members, (id) => steps.byId.get(id)?.status ?? 'waiting'));
  return node.members.find((id) => steps.byId.get(id)?.status === leading) ?? node.members[0];
}
