import {
  type Json,
  type LegacyDefinition,
  legacyDefinitionZ,
  type Problem,
  type StepDefinition,
  type WorkflowDefinition,
} from '@flotilla/contracts';
import { stepPointer } from './check-form.ts';
import { deriveId, LegacyIds } from './legacy-ids.ts';
import { migrateLegacyStep } from './migrate-legacy-step.ts';
import { ProblemList, pointer, shorten } from './problem-list.ts';

export type Migration =
  | {
      ok: true;
      definition: WorkflowDefinition;
      /** What was lost or kept in another form, with pointers into the legacy document. */
      warnings: readonly Problem[];
      /** The pointer into the legacy document of a pointer into the definition. */
      originOf: (path: string) => string;
    }
  | { ok: false; problems: readonly Problem[] };

type Document = { [key: string]: Json };

/** A legacy document has an `entry` and `steps`, and no `flotilla` version. */
export function isLegacyDocument(document: { [key: string]: unknown }): boolean {
  return !Object.hasOwn(document, 'flotilla') && Object.hasOwn(document, 'entry') && Object.hasOwn(document, 'steps');
}

/**
 * Turns a legacy document (`entry`, `next`, `branches` …) into a definition. There a run was one cursor going from step
 * to step; here a step needs those that could come before it and starts when the first of them succeeds. Steps that the
 * cursor could never reach are left out, with a warning. All problems are told at once.
 */
export function migrateLegacy(document: unknown): Migration {
  const problems = new ProblemList();
  const legacy = parseLegacy(document, problems);
  if (legacy === undefined) return { ok: false, problems: problems.all() };
  const ids = new LegacyIds(legacy, problems);
  const entry = ids.keyOf(legacy.entry);
  if (entry === undefined) problems.error('UNKNOWN_STEP', '/entry', `there is no step ${shorten(legacy.entry)}`);
  const reachable = entry === undefined ? new Set(Object.keys(legacy.steps)) : reach(entry, legacy, ids);
  const origins = new Map<string, string>();
  const steps: Record<string, StepDefinition> = {};
  for (const [key, step] of Object.entries(legacy.steps)) {
    const path = stepPointer(key);
    if (!reachable.has(key)) {
      problems.warning(
        'UNREACHABLE_STEP',
        path,
        `nothing leads from ${shorten(legacy.entry)} to the step; it is left out`,
      );
      continue;
    }
    const id = ids.idOf(key);
    origins.set(stepPointer(id), path);
    const migrated = migrateLegacyStep(step, { path, idPath: stepPointer(id), ids, problems, origins });
    if (migrated !== undefined) steps[id] = migrated;
  }
  addNeeds(legacy, ids, reachable, steps, origins);
  if (problems.errors.length > 0) return { ok: false, problems: problems.all() };
  const definition: WorkflowDefinition = {
    flotilla: 1,
    name: nameOf(legacy, problems),
    ...versionOf(legacy, problems),
    title: legacy.name,
    ...(legacy.budget === undefined ? {} : { budget: withoutUndefined(legacy.budget) }),
    steps,
    metadata: { ...legacy.metadata, legacyId: legacy.id },
  };
  return { ok: true, definition, warnings: problems.warnings, originOf: (path) => originOf(path, origins) };
}

function parseLegacy(document: unknown, problems: ProblemList): LegacyDefinition | undefined {
  const parsed = legacyDefinitionZ.safeParse(document);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      problems.error('ILLEGAL_VALUE', pointer(...issue.path.map(String)), shorten(issue.message, 400));
    }
    return undefined;
  }
  warnOfUnknownFields(document as Document, problems);
  if (Object.keys(parsed.data.steps).length === 0)
    problems.error('NO_STEPS', '/steps', 'a workflow has at least one step');
  return parsed.data;
}

const KNOWN_FIELDS = new Set(['id', 'name', 'version', 'entry', 'steps', 'budget', 'metadata']);

function warnOfUnknownFields(document: Document, problems: ProblemList): void {
  for (const field of Object.keys(document)) {
    if (KNOWN_FIELDS.has(field)) continue;
    problems.warning(
      'LEGACY_FIELD_LOST',
      pointer(field),
      `a legacy document has no field ${shorten(field)}; it is left out`,
    );
  }
}

/** Where each step leads, by key of the legacy document. */
function leadsTo(step: LegacyDefinition['steps'][string]): string[] {
  const targets = step.kind === 'branch' ? (step.branches ?? []).map(({ to }) => to) : [];
  return typeof step.next === 'string' ? [...targets, step.next] : targets;
}

function reach(entry: string, legacy: LegacyDefinition, ids: LegacyIds): Set<string> {
  const reached = new Set([entry]);
  for (const key of reached) {
    for (const target of leadsTo(legacy.steps[key]!)) {
      const targetKey = ids.keyOf(target);
      if (targetKey !== undefined) reached.add(targetKey);
    }
  }
  return reached;
}

/** `next` of a step that is no branch becomes a need of the step it names. Branches name their targets themselves. */
function addNeeds(
  legacy: LegacyDefinition,
  ids: LegacyIds,
  reachable: ReadonlySet<string>,
  steps: Record<string, StepDefinition>,
  origins: Map<string, string>,
): void {
  const comesFrom = new Map<string, { needs: string[]; branches: number }>();
  const predecessorsOf = (key: string) => {
    const known = comesFrom.get(key) ?? { needs: [], branches: 0 };
    comesFrom.set(key, known);
    return known;
  };
  for (const key of reachable) {
    const step = legacy.steps[key]!;
    for (const target of new Set(leadsTo(step).map((name) => ids.keyOf(name)))) {
      if (target === undefined) continue;
      const predecessors = predecessorsOf(target);
      if (step.kind === 'branch') {
        predecessors.branches += 1;
        continue;
      }
      origins.set(`${stepPointer(ids.idOf(target))}/needs/${predecessors.needs.length}`, `${stepPointer(key)}/next`);
      predecessors.needs.push(ids.idOf(key));
    }
  }
  for (const [key, { needs, branches }] of comesFrom) {
    const step = steps[ids.idOf(key)];
    if (step === undefined) continue;
    if (needs.length > 0) step.needs = needs;
    // One cursor comes from one side only. `all` would let a target of a branch wait to be chosen by it.
    if (needs.length + branches > 1) step.join = 'any';
  }
}

function nameOf(legacy: LegacyDefinition, problems: ProblemList): string {
  const name = deriveId(legacy.name);
  if (name !== legacy.name) {
    problems.warning('LEGACY_VALUE_CHANGED', '/name', `the name becomes ${name}; the old one is kept as title`);
  }
  return name;
}

function versionOf(legacy: LegacyDefinition, problems: ProblemList): { version?: string } {
  const { version } = legacy;
  if (/^\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+][A-Za-z0-9.-]{1,64})?$/.test(version)) return { version };
  const short = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/.exec(version.trim());
  if (short === null) {
    problems.warning(
      'LEGACY_FIELD_LOST',
      '/version',
      `${shorten(version, 60)} is not a version such as 1.0.0; it is left out`,
    );
    return {};
  }
  const completed = `${short[1]}.${short[2] ?? 0}.${short[3] ?? 0}`;
  problems.warning('LEGACY_VALUE_CHANGED', '/version', `the version becomes ${completed}`);
  return { version: completed };
}

function withoutUndefined<Value extends object>(
  record: Value,
): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Value]: Exclude<Value[Key], undefined> };
}

/** The longest known beginning of a path decides; the rest stays as it is. */
function originOf(path: string, origins: ReadonlyMap<string, string>): string {
  let known = path;
  while (known !== '') {
    const origin = origins.get(known);
    if (origin !== undefined) return origin + path.slice(known.length);
    known = known.slice(0, known.lastIndexOf('/'));
  }
  return path;
}
