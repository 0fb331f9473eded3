import { expect, test } from '@jest/globals';
import { partInSight, sightOf } from './part-in-sight.ts';

const NODES = Array.from({ length: 50 }, (_, index) => ({ id: `n${index}`, label: '', members: [] }));
const EDGES = NODES.slice(1).map(({ id }, index) => ({ id, from: `n${index}`, to: id }));
const POSITIONS = new Map(NODES.map(({ id }, index) => [id, { x: index * 256, y: 0 }]));
const PLAN = { nodes: NODES, edges: EDGES, isFolded: false };

test('a part has the boxes in sight and around it, and those that lines lead to', () => {
  const sight = sightOf({ x: 0, y: 0, zoom: 1 }, 1000, 600);
  expect(sight).toEqual({ left: -500, top: -300, right: 1500, bottom: 900 });
  const part = partInSight(PLAN, POSITIONS, sight);
  expect(part.nodes.map(({ id }) => id)).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
  expect(part.edges).toHaveLength(6);
});

test('a part elsewhere has the boxes there, with lines to both sides', () => {
  const part = partInSight(PLAN, POSITIONS, sightOf({ x: -5120, y: 0, zoom: 1 }, 512, 600));
  expect(part.nodes.map(({ id }) => id)).toEqual(['n18', 'n19', 'n20', 'n21', 'n22', 'n23', 'n24']);
});
