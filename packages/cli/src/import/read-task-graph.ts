import { type Problem, pointerToken } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';

interface GraphTask {
  /** The task's own id in the file. Unique. */
  id: string;
  runtimeSeconds: number;
  /** Indexes into `tasks`. */
  parents: Set<number>;
}

export interface TaskGraph {
  layout: 'wfformat-1.5' | 'wfformat-1.4' | 'adjacency-list';
  /** The document's own name. */
  name: string | undefined;
  tasks: GraphTask[];
}

type Fields = Record<string, unknown>;

/** Collects what is wrong, so that all of it is told at once. */
class Problems {
  readonly list: Problem[] = [];

  add(path: string, message: string, code = 'WFFORMAT_INVALID'): undefined {
    this.list.push({ code, path, message });
    return undefined;
  }

  throwIfAny(): void {
    if (this.list.length === 0) return;
    throw new CliProblem('WFFORMAT_INVALID', 'the file is not a task graph that can be used', { problems: this.list });
  }
}

/**
 * Reads the tasks and edges of a WfFormat 1.5 or 1.4 document or an adjacency list. An edge is there when either of its
 * ends names it.
 * @throws CliProblem `WFFORMAT_INVALID` with all problems: dangling or ambiguous references, doubled ids, bad runtimes.
 */
export function readTaskGraph(document: unknown): TaskGraph {
  if (!isFields(document)) throw unknownLayout();
  const { workflow } = document;
  const problems = new Problems();
  const name = typeof document['name'] === 'string' ? document['name'] : undefined;
  let graph: TaskGraph | undefined;
  if (isFields(workflow) && isFields(workflow['specification'])) {
    graph = { layout: 'wfformat-1.5', name, tasks: readSpecification(workflow, workflow['specification'], problems) };
  } else if (isFields(workflow) && Array.isArray(workflow['tasks'])) {
    graph = { layout: 'wfformat-1.4', name, tasks: readNamedTasks(workflow['tasks'], problems) };
  } else if (Object.keys(document).length > 0 && Object.values(document).every(isListOfText)) {
    graph = { layout: 'adjacency-list', name: undefined, tasks: readAdjacency(document as Record<string, string[]>) };
  }
  if (graph === undefined) throw unknownLayout();
  problems.throwIfAny();
  return graph;
}

function readSpecification(workflow: Fields, specification: Fields, problems: Problems): GraphTask[] {
  const at = '/workflow/specification/tasks';
  const listed = readTasks(specification['tasks'], at, 'id', problems);
  const execution = isFields(workflow['execution']) ? workflow['execution']['tasks'] : undefined;
  const runtimes = new Map<string, unknown>();
  if (Array.isArray(execution)) {
    for (const entry of execution) {
      if (isFields(entry) && typeof entry['id'] === 'string') runtimes.set(entry['id'], entry['runtimeInSeconds']);
    }
  } else if (execution !== undefined) {
    problems.add('/workflow/execution/tasks', 'expected a list of tasks');
  }
  return link(
    listed,
    (task) => task.id,
    problems,
    ({ id, path }) => readRuntime(runtimes.get(id), path, problems),
  );
}

/** 1.4: parents and children go by name, and some writers give the tasks no id at all. */
function readNamedTasks(tasks: unknown[], problems: Problems): GraphTask[] {
  const listed = readTasks(tasks, '/workflow/tasks', 'name', problems);
  const runtimeOf = ({ fields, path }: ListedTask) =>
    readRuntime(fields['runtimeInSeconds'] ?? fields['runtime'], path, problems);
  return link(
    listed,
    ({ fields, id }) => (typeof fields['name'] === 'string' ? fields['name'] : id),
    problems,
    runtimeOf,
  );
}

function readAdjacency(document: Record<string, string[]>): GraphTask[] {
  const index = new Map<string, number>();
  const tasks: GraphTask[] = [];
  const indexOf = (id: string): number => {
    let known = index.get(id);
    if (known === undefined) {
      known = tasks.length;
      index.set(id, known);
      tasks.push({ id, runtimeSeconds: 0, parents: new Set() });
    }
    return known;
  };
  for (const [parent, children] of Object.entries(document)) {
    const parentIndex = indexOf(parent);
    for (const child of children) tasks[indexOf(child)]!.parents.add(parentIndex);
  }
  return tasks;
}

interface ListedTask {
  id: string;
  fields: Fields;
  path: string;
}

/** The tasks of a list that have an id, each id once. */
function readTasks(tasks: unknown, at: string, idField: 'id' | 'name', problems: Problems): ListedTask[] {
  if (!Array.isArray(tasks)) {
    problems.add(at, 'expected a list of tasks');
    return [];
  }
  const paths = new Map<string, string>();
  return tasks.flatMap((fields: unknown, index): ListedTask[] => {
    const path = `${at}/${index}`;
    const own = isFields(fields) ? (fields['id'] ?? fields[idField]) : undefined;
    // Some writers number their tasks.
    const id = typeof own === 'number' ? String(own) : own;
    if (!isFields(fields) || typeof id !== 'string' || id === '') {
      problems.add(path, `a task needs ${idField === 'id' ? 'an id' : 'an id or a name'}`);
      return [];
    }
    const known = paths.get(id);
    if (known !== undefined) {
      problems.add(path, `the id ${shown(id)} is that of ${known} as well`, 'DUPLICATE_ID');
      return [];
    }
    paths.set(id, path);
    return [{ id, fields, path }];
  });
}

/** Resolves parents and children by the key that they go by, falling back to the id. */
function link(
  listed: readonly ListedTask[],
  keyOf: (task: ListedTask) => string,
  problems: Problems,
  runtimeOf: (task: ListedTask) => number,
): GraphTask[] {
  const byId = new Map(listed.map(({ id }, index) => [id, index]));
  const byKey = new Map<string, number[]>();
  listed.forEach((task, index) => {
    byKey.set(keyOf(task), [...(byKey.get(keyOf(task)) ?? []), index]);
  });
  const resolve = (reference: unknown, path: string): number | undefined => {
    if (typeof reference !== 'string') return problems.add(path, 'expected the id of a task');
    const named = byKey.get(reference) ?? [];
    if (named.length === 1) return named[0];
    const known = byId.get(reference);
    if (known !== undefined) return known;
    if (named.length > 1)
      return problems.add(path, `${named.length} tasks are called ${shown(reference)}`, 'AMBIGUOUS');
    return problems.add(path, `there is no task ${shown(reference)}`, 'UNKNOWN_STEP');
  };
  const tasks = listed.map((task) => ({ id: task.id, runtimeSeconds: runtimeOf(task), parents: new Set<number>() }));
  listed.forEach(({ fields, path }, index) => {
    for (const { reference, at } of references(fields, 'parents', path, problems)) {
      const parent = resolve(reference, at);
      if (parent !== undefined) tasks[index]!.parents.add(parent);
    }
    for (const { reference, at } of references(fields, 'children', path, problems)) {
      const child = resolve(reference, at);
      if (child !== undefined) tasks[child]!.parents.add(index);
    }
  });
  return tasks;
}

function references(fields: Fields, side: 'parents' | 'children', path: string, problems: Problems) {
  const list = fields[side] ?? [];
  const at = `${path}/${pointerToken(side)}`;
  if (!Array.isArray(list)) {
    problems.add(at, 'expected a list of task ids');
    return [];
  }
  return list.map((reference: unknown, index) => ({ reference, at: `${at}/${index}` }));
}

function readRuntime(value: unknown, path: string, problems: Problems): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  problems.add(path, `the runtime ${shown(String(value))} is not a number of seconds`);
  return 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfText(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function unknownLayout(): CliProblem {
  return new CliProblem('WFFORMAT_INVALID', 'the file is neither WfFormat 1.4 or 1.5 nor an adjacency list', {
    hint: 'expected workflow.specification.tasks, workflow.tasks or { "task": ["child", …] }',
  });
}
