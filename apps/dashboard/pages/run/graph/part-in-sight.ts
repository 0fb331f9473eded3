import type { Viewport } from '@xyflow/react';
import { NODE_HEIGHT, NODE_WIDTH, type Positions } from './lay-out.ts';
import type { GraphPlan } from './plan-graph.ts';

/** Part of the drawing, in its own measure. */
export interface Sight {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Larger graphs are given to the drawing part by part: taking in thousands of boxes and lines at once would hold the page up. */
export const MOST_DRAWN_WHOLE = 250;
/** Of a part, at most: further out it would be the whole again. */
export const LEAST_ZOOM_OF_PARTS = 0.35;

/** What a viewport shows, with half as much around it, so that a short move shows nothing new. */
export function sightOf({ x, y, zoom }: Viewport, width: number, height: number): Sight {
  const marginX = width / zoom / 2;
  const marginY = height / zoom / 2;
  return {
    left: -x / zoom - marginX,
    top: -y / zoom - marginY,
    right: (width - x) / zoom + marginX,
    bottom: (height - y) / zoom + marginY,
  };
}

/** The boxes in sight, and those that lines lead to from there. */
export function partInSight(plan: GraphPlan, positions: Positions, sight: Sight): GraphPlan {
  const inSight = new Set<string>();
  for (const { id } of plan.nodes) {
    const { x = 0, y = 0 } = positions.get(id) ?? {};
    const isBeside = x > sight.right || x + NODE_WIDTH < sight.left || y > sight.bottom || y + NODE_HEIGHT < sight.top;
    if (!isBeside) inSight.add(id);
  }
  const edges = plan.edges.filter(({ from, to }) => inSight.has(from) || inSight.has(to));
  const shown = new Set(inSight);
  for (const { from, to } of edges) shown.add(from).add(to);
  return { ...plan, nodes: plan.nodes.filter(({ id }) => shown.has(id)), edges };
}
