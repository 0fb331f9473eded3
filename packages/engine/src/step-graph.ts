import type { Json } from '@flotilla/contracts';
import { stepPointer } from './check-form.ts';
import { explainUnknownStep } from './explain-unknown-step.ts';
import { type ProblemList, shorten } from './problem-list.ts';

/**
 * How the steps of a document depend on each other, as numbers in the order of the document. Read loosely, so that
 * what is wrong between steps is told together with what is wrong inside them.
 */
export interface StepGraph {
  ids: readonly string[];
  stepIndex: ReadonlyMap<string, number>;
  /** Needs that a step names, without the branches that choose it. */
  needs: readonly (readonly number[])[];
  /** Branch steps that name a step as a target. */
  branches: readonly (readonly number[])[];
  /** Both together, ascending, each once: what must settle before the step. */
  parents: readonly (readonly number[])[];
}

type Fields = { [key: string]: Json };

/** Edges after which the event loop gets its turn: a definition within its limits may have a million of them. */
const EDGES_PER_PIECE = 50_000;

export function* readStepGraph(steps: Fields, problems: ProblemList): Generator<void, StepGraph> {
  const ids = Object.keys(steps);
  const stepIndex = new Map(ids.map((id, index) => [id, index] as const));
  const branches: number[][] = ids.map(() => []);
  for (const [index, id] of ids.entries()) readTargets(index, id, fieldsOf(steps[id]), stepIndex, branches, problems);
  yield;
  const needs = yield* mapInPieces([...ids.keys()], (index) => {
    const id = ids[index]!;
    return readNeeds(id, fieldsOf(steps[id]), stepIndex, branches[index]!, problems);
  });
  const parents = yield* mapInPieces([...ids.keys()], (index) => {
    const all = [...needs[index]!, ...branches[index]!];
    return all.length < 2 ? all : all.sort((left, right) => left - right);
  });
  return { ids, stepIndex, needs, branches, parents };
}

/**
 * The same graph with its steps numbered by depth, then id: a function of the content alone. Two documents that differ
 * in the order of their keys have one hash, so they must have one numbering: stored runs speak in these numbers.
 */
export function* renumberByDepth(graph: StepGraph, depths: readonly number[]): Generator<void, StepGraph> {
  const { ids } = graph;
  const inOrder = [...ids.keys()].sort(
    (left, right) => depths[left]! - depths[right]! || (ids[left]! < ids[right]! ? -1 : 1),
  );
  const numberOf = new Int32Array(ids.length);
  for (const [number, step] of inOrder.entries()) numberOf[step] = number;
  const renumber = (lists: StepGraph['parents']) =>
    mapInPieces(inOrder, (step) => lists[step]!.map((other) => numberOf[other]!).sort((left, right) => left - right));
  const newIds = inOrder.map((step) => ids[step]!);
  return {
    ids: newIds,
    stepIndex: new Map(newIds.map((id, index) => [id, index] as const)),
    needs: yield* renumber(graph.needs),
    branches: yield* renumber(graph.branches),
    parents: yield* renumber(graph.parents),
  };
}

function* mapInPieces(steps: readonly number[], edgesOf: (step: number) => number[]): Generator<void, number[][]> {
  const lists: number[][] = [];
  let edges = 0;
  for (const step of steps) {
    const list = edgesOf(step);
    lists.push(list);
    edges += list.length;
    if (edges < EDGES_PER_PIECE) continue;
    edges = 0;
    yield;
  }
  return lists;
}

function readNeeds(
  id: string,
  step: Fields,
  stepIndex: ReadonlyMap<string, number>,
  branches: readonly number[],
  problems: ProblemList,
): number[] {
  const choosers = new Set(branches);
  const needs = new Set<number>();
  const named = new Set<string>();
  for (const [position, need] of listOf(step['needs']).entries()) {
    if (typeof need !== 'string') continue;
    const pathOf = () => `${stepPointer(id)}/needs/${position}`;
    const index = stepIndex.get(need);
    if (named.has(need)) problems.error('DUPLICATE_NEED', pathOf(), `the step needs ${shorten(need)} twice`);
    else if (index === undefined) problems.error('UNKNOWN_STEP', pathOf(), explainUnknownStep(need, stepIndex));
    // A branch that names the step is waited for anyway, and its choice is what counts.
    else if (!choosers.has(index)) needs.add(index);
    named.add(need);
  }
  return [...needs];
}

function readTargets(
  index: number,
  id: string,
  step: Fields,
  stepIndex: ReadonlyMap<string, number>,
  branches: readonly number[][],
  problems: ProblemList,
): void {
  if (step['kind'] !== 'branch') return;
  const path = stepPointer(id);
  const targets = listOf(step['cases']).map((branchCase, position) => ({
    target: fieldsOf(branchCase)['to'],
    path: `${path}/cases/${position}/to`,
  }));
  targets.push({ target: step['otherwise'], path: `${path}/otherwise` });
  for (const { target, path: targetPath } of targets) {
    if (typeof target !== 'string') continue;
    const targetIndex = stepIndex.get(target);
    if (targetIndex === undefined) problems.error('UNKNOWN_STEP', targetPath, explainUnknownStep(target, stepIndex));
    else if (branches[targetIndex]!.at(-1) !== index) branches[targetIndex]!.push(index);
  }
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function fieldsOf(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
