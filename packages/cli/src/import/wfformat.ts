import { isLegalId, MAX_DURATION_MS, type Problem, pointerToken, type WorkflowDefinition } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';
import { stepIdsFor, workflowNameFor } from './derive-ids.ts';
import { readTaskGraph, type TaskGraph } from './read-task-graph.ts';

export interface WfformatOptions {
  /** Milliseconds of sleep per recorded millisecond: 1 replays the recorded times, 0 waits for nothing. Finite, not negative. */
  timeScale: number;
  /** Name of the workflow when the document has none that is legal; usually the file's. */
  fallbackName: string;
}

export interface WfformatImport {
  definition: WorkflowDefinition;
  layout: TaskGraph['layout'];
  tasks: number;
  edges: number;
}

/** Attempts of sleeps longer than what the default limit leaves room for get a limit of their own. */
const DEFAULT_LIMIT_COVERS_MS = 240_000;
const EXTRA_ATTEMPT_MS = 60_000;
const MAX_TITLE_LENGTH = 512;

type TaskStep = Extract<WorkflowDefinition['steps'][string], { kind: 'task' }>;

/**
 * Turns a task graph of WfCommons (WfFormat 1.5 and 1.4) or an adjacency list `{ task: [children] }` into a definition
 * that replays it: each task becomes a `flotilla.sleep` of its recorded time. Nothing in the file is run.
 * @throws CliProblem `WFFORMAT_INVALID` with all problems, `NO_STEPS`, `NO_EDGES`.
 */
export function importWfformat(document: unknown, { timeScale, fallbackName }: WfformatOptions): WfformatImport {
  const graph = readTaskGraph(document);
  if (graph.tasks.length === 0) throw new CliProblem('NO_STEPS', 'the file has no tasks');
  const edges = graph.tasks.reduce((sum, { parents }) => sum + parents.size, 0);
  if (edges === 0 && graph.tasks.length > 1) {
    throw new CliProblem('NO_EDGES', `the file has ${graph.tasks.length} tasks and no edge between them`, {
      hint: 'without parents or children it is a heap of tasks, not a workflow; check that the dependencies were exported',
    });
  }
  const ids = stepIdsFor(graph.tasks.map(({ id }) => id));
  const problems: Problem[] = [];
  const steps = graph.tasks.map(({ id, parents, runtimeSeconds }, index): [string, TaskStep] => {
    const ms = Math.round(runtimeSeconds * 1000 * timeScale);
    if (ms > MAX_DURATION_MS) {
      const message = `${ms} ms is longer than a year; choose a smaller time scale`;
      problems.push({ code: 'ILLEGAL_VALUE', path: `/${pointerToken(id)}`, message });
    }
    // In the order of the file, whichever side of the edge named it.
    const needs = [...parents].sort((a, b) => a - b).map((parent) => ids[parent]!);
    return [ids[index]!, sleepStep(id, needs, ms)];
  });
  if (problems.length > 0) throw new CliProblem('WFFORMAT_INVALID', 'the file cannot be replayed', { problems });
  const definition: WorkflowDefinition = {
    flotilla: 1,
    name: workflowNameFor(graph.name, fallbackName),
    ...titleOf(graph.name),
    metadata: { importedFrom: graph.layout, timeScale },
    steps: Object.fromEntries(steps),
  };
  return { definition, layout: graph.layout, tasks: graph.tasks.length, edges };
}

/** A name that cannot be an id is still shown. */
function titleOf(name: string | undefined): { title?: string } {
  if (name === undefined || name === '') return {};
  const legal: boolean = isLegalId(name);
  return legal ? {} : { title: name.slice(0, MAX_TITLE_LENGTH) };
}

function sleepStep(id: string, needs: string[], ms: number): TaskStep {
  return {
    kind: 'task',
    use: 'flotilla.sleep',
    title: id.slice(0, MAX_TITLE_LENGTH),
    ...(needs.length === 0 ? {} : { needs }),
    input: { ms },
    ...(ms <= DEFAULT_LIMIT_COVERS_MS
      ? {}
      : { timeouts: { attemptMs: Math.min(ms + EXTRA_ATTEMPT_MS, MAX_DURATION_MS) } }),
  };
}
