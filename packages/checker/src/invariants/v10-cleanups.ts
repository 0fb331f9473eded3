import type { EventType, HistoryEvent } from '@flotilla/contracts';
import type { RunFacts } from '../run-facts.ts';
import { ATTEMPT_ENDS } from '../run-facts.ts';
import type { Found } from '../violation.ts';

/** One thing that a run must undo when it does not succeed, as the history shows that it came about. */
interface Registration {
  stepId: string | undefined;
  kind: 'compensation' | 'registered';
  event: HistoryEvent;
}

const GOES_ON: ReadonlySet<EventType> = new Set<EventType>(['cleanup-retried', 'cleanup-lost', 'cleanup-released']);
const IS_OVER: ReadonlySet<EventType> = new Set<EventType>(['cleanup-succeeded', 'cleanup-failed']);

/** Empty and `isKnown` false where the definition is not known: then only the order can be checked. */
export function registrationsOf(run: RunFacts): { list: Registration[]; isKnown: boolean } {
  const list: Registration[] = [];
  if (run.record.definition === undefined) return { list, isKnown: false };
  for (const event of run.events) {
    const { type, stepId, attemptId } = event;
    if (type === 'cleanup-registered') list.push({ stepId, kind: 'registered', event });
    // Without an attempt it was settled by a scheduler, which undoes nothing.
    const isCompensated = type === 'step-succeeded' && attemptId !== undefined && run.ruleOf(stepId!)?.compensated;
    if (isCompensated) list.push({ stepId, kind: 'compensation', event });
  }
  return { list, isKnown: true };
}

/** Each once, last first, one at a time, when nothing else of the run is live; none when the run succeeds. */
export function findWrongCleanups(run: RunFacts, atRest: boolean): Found[] {
  // A retry begins a list of its own: what has been undone is made anew.
  return run.openings.flatMap((events, index) => {
    const isLast = index === run.openings.length - 1;
    const terminal = run.terminal.filter((end) => events.includes(end));
    return findWrongInOpening({ ...run, events, terminal }, { isOver: atRest || !isLast, isLast });
  });
}

function findWrongInOpening(run: RunFacts, { isOver, isLast }: { isOver: boolean; isLast: boolean }): Found[] {
  const { list, isKnown } = registrationsOf(run);
  const found = isKnown ? findMisnumbered(list) : [];
  const watch = new CleanupWatch(list, isKnown);
  for (const event of run.events) found.push(...watch.look(event));
  const [end] = run.terminal;
  if (!isOver || end === undefined) return found;
  if (end.type !== 'run-succeeded') {
    return [...found, ...watch.findOpen(end), ...(isLast ? findMiscounted(run, list, isKnown) : [])];
  }
  const [made] = watch.made;
  return made === undefined
    ? found
    : [...found, { message: 'a run that succeeds undoes what it did', evidence: [made] }];
}

function findMisnumbered(list: readonly Registration[]): Found[] {
  return list.flatMap(({ event }, number) =>
    event.type === 'cleanup-registered' && event.cleanup !== number
      ? [
          {
            message: `the cleanup of ${event.stepId} is the ${number}th and is numbered ${event.cleanup}`,
            evidence: [event],
          },
        ]
      : [],
  );
}

function findMiscounted({ record, events }: RunFacts, list: readonly Registration[], isKnown: boolean): Found[] {
  const told = record.run.cleanups;
  const failed = events.filter(({ type }) => type === 'cleanup-failed');
  const again = events.filter(({ type }) => type === 'cleanup-requested').length;
  if (!isKnown || (told === undefined && list.length === 0)) return [];
  if (told?.registered === list.length && told.left === 0 && told.failed === failed.length - again) return [];
  const message = `the run tells of ${JSON.stringify(told)} cleanups, its history of ${list.length} and ${failed.length} failed`;
  return [{ message, evidence: [record.run, ...failed] }];
}

/** Follows a history, and knows whose turn it is. */
class CleanupWatch {
  readonly made: HistoryEvent[] = [];
  readonly #list: readonly Registration[];
  readonly #isKnown: boolean;
  /** Attempts of steps that run. */
  readonly #live = new Map<string, HistoryEvent>();
  readonly #fences = new Map<number, number>();
  #open: HistoryEvent | undefined;
  /** Of an ended run: one that had failed is made again, and none follows it. */
  #isAgain = false;
  /** Undefined before the first, where it is not known how many there are. */
  #turn: number | undefined;

  constructor(list: readonly Registration[], isKnown: boolean) {
    this.#list = list;
    this.#isKnown = isKnown;
    this.#turn = isKnown ? list.length - 1 : undefined;
  }

  look(event: HistoryEvent): Found[] {
    const { type, stepId, cleanup } = event;
    if (type === 'cleanup-requested') {
      this.#isAgain = true;
      this.#turn = cleanup;
      return [];
    }
    if (type === 'attempt-started') {
      this.#live.set(stepId!, event);
      const [first] = this.made;
      if (first === undefined) return [];
      return [{ message: `${stepId} starts although cleanups have begun`, evidence: [first, event] }];
    }
    if (ATTEMPT_ENDS.has(type)) this.#live.delete(stepId!);
    if (cleanup === undefined || !(type === 'cleanup-started' || GOES_ON.has(type) || IS_OVER.has(type))) return [];
    this.made.push(event);
    return [...this.#findWrongTurn(event, cleanup), ...this.#follow(event, cleanup)];
  }

  /** What was never made. */
  findOpen(end: HistoryEvent): Found[] {
    const left = this.#open !== undefined || (this.#turn ?? -1) >= 0;
    if (!left) return [];
    const { event } = this.#list[this.#turn ?? 0] ?? { event: this.#open! };
    return [{ message: `the run ends and cleanup ${this.#turn} has not`, evidence: [event, end] }];
  }

  #findWrongTurn(event: HistoryEvent, cleanup: number): Found[] {
    this.#turn ??= cleanup;
    const found: Found[] = [];
    if (cleanup !== this.#turn) {
      found.push({
        message: `cleanup ${cleanup} has ${event.type}, and it is the turn of ${this.#turn}`,
        evidence: [event],
      });
    }
    const own = this.#list[cleanup];
    if (this.#isKnown && own?.stepId !== event.stepId) {
      found.push({
        message: `cleanup ${cleanup} is of ${own?.stepId} and was made for ${event.stepId}`,
        evidence: [event],
      });
    }
    const [live] = this.#live.values();
    if (live !== undefined) {
      found.push({
        message: `cleanup ${cleanup} has ${event.type} while ${live.stepId} runs`,
        evidence: [live, event],
      });
    }
    return found;
  }

  #follow(event: HistoryEvent, cleanup: number): Found[] {
    const { type, fence = 0 } = event;
    const open = this.#open;
    if (type === 'cleanup-started') {
      this.#open = event;
      const before = this.#fences.get(cleanup) ?? 0;
      this.#fences.set(cleanup, fence);
      if (open !== undefined)
        return [{ message: `cleanup ${cleanup} starts while another is made`, evidence: [open, event] }];
      return fence > before ? [] : [{ message: `the fence of cleanup ${cleanup} does not grow`, evidence: [event] }];
    }
    this.#open = undefined;
    if (IS_OVER.has(type)) this.#turn = this.#isAgain ? -1 : cleanup - 1;
    // Its time may be over while nobody makes it.
    if (open === undefined && type === 'cleanup-failed') return [];
    if (open?.cleanup === cleanup && open.fence === event.fence && open.attemptId === event.attemptId) return [];
    return [{ message: `${type} of cleanup ${cleanup} ends an attempt that was not started`, evidence: [event] }];
  }
}
