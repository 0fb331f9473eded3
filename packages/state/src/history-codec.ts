import { type EventType, FlotillaError, type HistoryEvent, type Json } from '@flotilla/contracts';
import { EVENT_TYPE_OF_CODE } from './event-codes.ts';
import { type PlanShape, parseStepKey, stepIdOf } from './plan-shape.ts';

/** Events of a group name its steps up to this many; the rest is a count. */
const NAMED_MEMBERS = 100;

/**
 * Turns stored history lines (`type|at|step key|attempt|fence|attemptId|worker|data`) into events.
 * `step-succeeded` follows the `attempt-succeeded` of the same step and is completed from it: pass the line before the
 * first one, where there is one.
 */
export function decodeHistory(
  lines: readonly string[],
  firstSeq: number,
  createdAt: number,
  plan: PlanShape | undefined,
  lineBefore?: string,
): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let before = lineBefore;
  lines.forEach((line, index) => {
    events.push(decodeLine(line, firstSeq + index, createdAt, plan, before));
    before = line;
  });
  return events;
}

function decodeLine(
  line: string,
  seq: number,
  createdAt: number,
  plan: PlanShape | undefined,
  before: string | undefined,
): HistoryEvent {
  const parts = splitLine(line);
  const type = EVENT_TYPE_OF_CODE.get(parts[0]!) as EventType | undefined;
  if (type === undefined) throw new FlotillaError('DATA_CORRUPTION', `history event ${seq} has an unknown type`);
  const event: HistoryEvent = { seq, at: createdAt + Number(parts[1] ?? 0), type };
  let attemptParts = parts;
  if (type === 'step-succeeded' && before !== undefined) {
    const previous = splitLine(before);
    if (EVENT_TYPE_OF_CODE.get(previous[0]!) === 'attempt-succeeded' && previous[2] === parts[2])
      attemptParts = previous;
  }
  const [, , key, attempt, fence, attemptId, worker, data] = attemptParts;
  if (type === 'step-ready') return nameGroup(event, key ?? '', plan);
  if (key) nameStep(event, key, plan);
  if (attempt) event.attempt = Number(attempt);
  if (fence) event.fence = createdAt + Number(fence);
  if (attemptId) event.attemptId = attemptId;
  if (worker) event.worker = worker;
  if (data) event.data = JSON.parse(data) as Record<string, Json>;
  return event;
}

function nameStep(event: HistoryEvent, key: string, plan: PlanShape | undefined): void {
  const { step, cleanup } = parseStepKey(key);
  if (cleanup !== undefined) event.cleanup = cleanup;
  // Of a cleanup whose registration was damaged only the number is known.
  if (key.startsWith('!')) return;
  event.stepId = plan === undefined || Number.isNaN(step) ? `#${key}` : stepIdOf(plan, key);
}

function nameGroup(event: HistoryEvent, key: string, plan: PlanShape | undefined): HistoryEvent {
  if (plan === undefined) return event;
  const group = key === 'ge' ? plan.entryGroup : Number(key.slice(1));
  const members = group === undefined ? [] : (plan.groups[group]?.members ?? []);
  if (members.length === 1) {
    event.stepId = plan.steps[members[0]!]!.id;
  } else {
    const named = members.slice(0, NAMED_MEMBERS).map((member) => plan.steps[member]!.id);
    event.data = { steps: named, count: members.length };
  }
  return event;
}

/** Splits off seven parts; the eighth is the data and may hold any character. */
function splitLine(line: string): string[] {
  const parts: string[] = [];
  let from = 0;
  while (parts.length < 7) {
    const bar = line.indexOf('|', from);
    if (bar < 0) break;
    parts.push(line.slice(from, bar));
    from = bar + 1;
  }
  parts.push(line.slice(from));
  return parts;
}
