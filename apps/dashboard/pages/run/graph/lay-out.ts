import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { GraphPlan } from './plan-graph.ts';

export const NODE_WIDTH = 200;
export const NODE_HEIGHT = 46;

export type Positions = ReadonlyMap<string, { x: number; y: number }>;

/** Larger graphs are laid out with less care, so that it takes a second and not a minute. */
const MOST_CAREFUL_NODES = 300;

let elk: InstanceType<typeof ELK> | undefined;

/** Where each box stands. Computed in a worker: the page stays free. */
export async function layOut({ nodes, edges }: GraphPlan): Promise<Positions> {
  elk ??= new ELK({ workerUrl });
  const graph: ElkNode = {
    id: 'root',
    layoutOptions: nodes.length > MOST_CAREFUL_NODES ? FAST : CAREFUL,
    children: nodes.map(({ id }) => ({ id, width: NODE_WIDTH, height: NODE_HEIGHT })),
    edges: edges.map(({ id, from, to }) => ({ id, sources: [from], targets: [to] })),
  };
  const laidOut = await elk.layout(graph);
  return new Map((laidOut.children ?? []).map(({ id, x = 0, y = 0 }) => [id, { x, y }]));
}

const COMMON = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.layered.spacing.nodeNodeBetweenLayers': '56',
  'elk.spacing.nodeNode': '14',
  'elk.separateConnectedComponents': 'false',
};
const CAREFUL = { ...COMMON, 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX' };
const FAST = {
  ...COMMON,
  'elk.layered.thoroughness': '1',
  'elk.layered.nodePlacement.strategy': 'SIMPLE',
  'elk.edgeRouting': 'POLYLINE',
  'elk.layered.crossingMinimization.greedySwitch.type': 'OFF',
};
