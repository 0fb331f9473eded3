import { FlotillaError, type StepView } from '@flotilla/contracts';
import type { CheckpointSeal } from './checkpoint-seal.ts';
import { FIELD } from './format.ts';
import { stateKey } from './keys.ts';
import type { PlanShape, StepKey } from './plan-shape.ts';
import { invalidCursor, type ReadDependencies, tagOfRun } from './read-runs.ts';
import { parseRunMeta } from './run-record.ts';
import type { StepHeader } from './step-header.ts';

/** Where a page of steps goes on: a step of the definition, or an item of a map step. */
export interface Position {
  step: number;
  item: number | undefined;
}

export interface StepPageDependencies extends ReadDependencies {
  plan: PlanShape;
  seal: CheckpointSeal;
}

/** What every page of a run's steps needs to know of the run. */
export interface RunBasics {
  /** Redis key of the run's record. */
  key: string;
  runId: string;
  status: string;
  createdAt: number;
  seal: CheckpointSeal;
  /** Attempts that are under way, by the view of their step. */
  running: Map<StepView, string>;
}

/** @throws FlotillaError RUN_NOT_FOUND */
export async function readBasics(dependencies: StepPageDependencies, runId: string): Promise<RunBasics> {
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  const packed = await dependencies.client.hget(key, FIELD.meta);
  if (packed == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const { letter, createdAt } = parseRunMeta(packed);
  return { key, runId, status: letter, createdAt, seal: dependencies.seal, running: new Map() };
}

/** Keys of the steps from `first` on. */
export function stepKeys(plan: PlanShape, first: number, limit: number): StepKey[] {
  const last = Math.min(plan.steps.length, first + limit);
  return Array.from({ length: last - first }, (_, index) => String(first + index));
}

/** Keys of the items of a map step from `first` on, before `last`. */
export function itemKeys(step: number, first: number, last: number): StepKey[] {
  return Array.from({ length: last - first }, (_, index) => `${step}.${first + index}`);
}

/** What comes behind a step: its first item when it is a map that has begun, else the next step. */
export function following(position: Position, header: StepHeader | undefined): Position {
  if (header?.map !== undefined && header.map.next > 0) return { step: position.step, item: 0 };
  return { step: position.step + 1, item: undefined };
}

export function cursorOf({ step, item }: Position): string {
  return `${step}.${item ?? ''}`;
}

/** @throws FlotillaError VALIDATION_FAILED */
export function parsePosition(cursor: string | undefined): Position {
  if (cursor === undefined) return { step: 0, item: undefined };
  const match = /^(\d{1,6})\.(\d{0,6})$/.exec(cursor);
  if (match === null) throw invalidCursor();
  return { step: Number(match[1]), item: match[2] === '' ? undefined : Number(match[2]) };
}
