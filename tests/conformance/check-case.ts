import { readFileSync } from 'node:fs';
import { findViolations } from '@flotilla/checker';
import type { Json } from '@flotilla/contracts';
import type { MachineTimeline, RunRecord } from '@flotilla/testing';

/** One case of cases.json; README.md beside it says what the fields mean. */
export interface ConformanceCase {
  name: string;
  why: string;
  definition: { steps: Record<string, { needs?: string[]; join?: string; tolerate?: unknown }> };
  input: Json;
  expect: {
    status: string;
    output?: Json;
    size?: number;
    steps?: Record<string, string>;
    attempts?: Record<string, number>;
    attemptsAtMost?: Record<string, number>;
    errorCode?: Record<string, string>;
    minMs?: number;
    maxMs?: number;
    before?: [any: string, need: string][];
  };
}

export const conformanceCases: readonly ConformanceCase[] = JSON.parse(
  readFileSync(new URL('cases.json', import.meta.url), 'utf8'),
) as ConformanceCase[];

/** What of a case does not hold for the run, in words; none when it conforms. `machine`: recorded while it ran. */
export function differences(
  { definition, expect }: ConformanceCase,
  record: RunRecord,
  machine: MachineTimeline,
): string[] {
  const { run, steps } = record;
  const found = findViolations(record, { joinsAny: joinsAny(definition), tolerated: toleratedOf(definition) });
  const differ = (what: string, expected: unknown, actual: unknown): void => {
    if (!isSameJson(expected, actual)) found.push(`${what}: expected ${text(expected)}, found ${text(actual)}`);
  };
  const step = (stepId: string) => steps.find((candidate) => candidate.stepId === stepId);
  differ('status', expect.status, run.status);
  if ('output' in expect) differ('output', expect.output, run.output);
  if (expect.size !== undefined) differ('size of the output', expect.size, (run.output as Json[] | undefined)?.length);
  for (const [id, status] of Object.entries(expect.steps ?? {})) differ(`status of ${id}`, status, step(id)?.status);
  for (const [id, count] of Object.entries(expect.attempts ?? {}))
    differ(`attempts of ${id}`, count, step(id)?.attempts);
  for (const [id, most] of Object.entries(expect.attemptsAtMost ?? {})) {
    const attempts = step(id)?.attempts ?? Number.NaN;
    if (!(attempts <= most)) found.push(`attempts of ${id}: expected at most ${most}, found ${attempts}`);
  }
  for (const [id, code] of Object.entries(expect.errorCode ?? {}))
    differ(`error of ${id}`, code, step(id)?.error?.code);
  const tookMs = (run.endedAt ?? Number.NaN) - run.createdAt;
  if (expect.minMs !== undefined && !(tookMs >= expect.minMs))
    found.push(`took ${tookMs} ms, less than ${expect.minMs}`);
  const machineMs = machine.between(run.createdAt, run.endedAt ?? Number.POSITIVE_INFINITY);
  if (expect.maxMs !== undefined && !(machineMs <= expect.maxMs))
    found.push(`took ${tookMs} ms, ${machineMs} of machine time, more than ${expect.maxMs}`);
  for (const [id, need] of expect.before ?? []) {
    const succeeded = succeededBeforeReady(record, id, definition.steps[id]?.needs ?? []);
    if (succeeded.length !== 1) found.push(`${id} became ready after [${succeeded}] and did not leave out ${need}`);
  }
  return found;
}

/**
 * Which of its needs had succeeded in the moment in which a step became ready. By the order of the history: which of two
 * needs is the first, and whether the step starts before the other has ended, is for the machine to say.
 */
function succeededBeforeReady({ events }: RunRecord, id: string, needs: readonly string[]): string[] {
  const ready = events.findIndex(({ type, stepId }) => type === 'step-ready' && stepId === id);
  return events
    .slice(0, Math.max(0, ready))
    .filter(({ type, stepId = '' }) => type === 'step-succeeded' && needs.includes(stepId))
    .map(({ stepId = '' }) => stepId);
}

function joinsAny({ steps }: ConformanceCase['definition']): ReadonlySet<string> {
  return new Set(Object.keys(steps).filter((id) => steps[id]?.join === 'any'));
}

function toleratedOf({ steps }: ConformanceCase['definition']): ReadonlySet<string> {
  return new Set(Object.keys(steps).filter((id) => steps[id]?.tolerate === true));
}

/** Numbers by value, keys in any order. */
function isSameJson(left: unknown, right: unknown): boolean {
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const [leftKeys, rightKeys] = [Object.keys(left), Object.keys(right)];
  return (
    leftKeys.length === rightKeys.length &&
    leftKeys.every(
      (key) =>
        Object.hasOwn(right, key) &&
        isSameJson((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
    )
  );
}

function text(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 300);
}
