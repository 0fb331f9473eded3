import assert from 'node:assert/strict';
import { DUE, type DueLetter, type DueTimer, NO_HEADER, STATES, STEP, type StepKey } from '@flotilla/state';
import * as attemptCalls from './attempt-calls.ts';
import * as cleanupCalls from './cleanup-calls.ts';
import { isCleanup } from './cleanup-calls.ts';
import { FAR_MS } from './random-workflow.ts';
import * as failures from './reference/failure-transitions.ts';
import { dueMember, type OutboxEntry } from './reference/reference.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import { tallyOfCounter } from './reference/reference-run.ts';
import * as runTransitions from './reference/run-transitions.ts';
import * as reference from './reference/step-transitions.ts';
import { type Decision, decide } from './reference/workflow-rules.ts';
import * as runCalls from './run-calls.ts';
import * as stepCalls from './step-calls.ts';
import { type Call, call, type World } from './world.ts';

/** What schedulers do with what state tells them, decided by chance where the real ones evaluate expressions. */

/** Asked again of the same step it answers the same: a repeated evaluation gives the same. */
function decideOnce(world: World, run: ReferenceRun, what: string, chance: number): number {
  const name = `${run.id}|${what}`;
  const known = world.decisions.get(name);
  if (known !== undefined) return known;
  world.decisions.set(name, chance);
  return chance;
}

export interface Relayed {
  calls: Call[];
  timers: DueTimer[];
}

/** Calls that a relay makes of one outbox entry, before it acknowledges that. */
export function relayEntry(world: World, entry: OutboxEntry, chance: number): Relayed {
  const relayed: Relayed = { calls: [], timers: [] };
  for (const line of entry.lines) {
    const [letter, runId, , fourth, counter, opening = '1'] = line.split('|') as [
      string,
      string,
      string,
      string,
      string,
    ];
    const run = world.reference.runs.get(runId);
    if (run === undefined) continue;
    if (letter === 'E')
      startGroup(world, run, run.plan.entryGroup!, { counter: undefined, opening: 1 }, chance, relayed);
    else if (letter === 'G')
      startGroup(world, run, Number(fourth), { counter: Number(counter), opening: Number(opening) }, chance, relayed);
    else if (letter === 'S') dispatchStep(world, run, fourth, relayed);
    else if (letter === 'F')
      relayed.calls.push(runCalls.finishRun(world, run, decideOnce(world, run, 'output', chance) % 5 > 0));
    else if (letter === 'A')
      relayed.calls.push(runCalls.reopenRun(world, run, Number(fourth), () => startReadySteps(world, run, chance)));
    else if (letter === 'C') relayed.calls.push(runCalls.sweepRun(world, run));
    else assert.fail(`an unknown line ${line}`);
  }
  return relayed;
}

/** What a scheduler starts of a run that it has reopened: whatever can be and has not begun. */
function startReadySteps(world: World, run: ReferenceRun, chance: number): Call[] {
  const relayed: Relayed = { calls: [], timers: [] };
  for (const { index, group } of run.plan.steps) {
    if (run.steps.has(String(index)) || !run.hasFired(group)) continue;
    const rules = run.rules.groups[group]!;
    startStep(world, run, index, openingOf(run, decide(rules, run.tally(group))), chance + index, relayed);
  }
  for (const [key, { map, state }] of run.steps) {
    if (map?.isRetried !== true || state !== 'map-running') continue;
    for (let item = 0; item < map.next; item += 1) {
      if (!run.steps.has(`${key}.${item}`)) dispatchStep(world, run, `${key}.${item}`, relayed);
    }
  }
  return [...relayed.calls, stepCalls.dispatched(world, run.tag, [], relayed.timers)];
}

function startGroup(
  world: World,
  run: ReferenceRun,
  group: number,
  { counter, opening }: { counter: number | undefined; opening: number },
  chance: number,
  relayed: Relayed,
): void {
  const rules = run.rules.groups[group]!;
  const decision = counter === undefined ? 'run' : decide(rules, tallyOfCounter(counter));
  for (const member of rules.members)
    startStep(world, run, member, { joined: decision, opening }, chance + member, relayed);
}

/** What the group's counter decides, and the opening of the run in which it does. */
export interface Joined {
  joined: Decision;
  opening: number;
}

export function openingOf(run: ReferenceRun, joined: Decision): Joined {
  return { joined, opening: run.opening };
}

/** What becomes of a step whose group has fired. */
export function startStep(
  world: World,
  run: ReferenceRun,
  index: number,
  { joined, opening }: Joined,
  chance: number,
  relayed: Relayed,
): void {
  const key = String(index);
  const step = run.plan.steps[index]!;
  const fate = decideOnce(world, run, `fate ${key}`, chance);
  if (joined !== 'run') {
    const outcome = joined === 'upstream-failed' ? 'skipped-upstream-failed' : 'skipped';
    relayed.calls.push(
      stepCalls.settle(world, run, key, {
        state: 'skipped',
        reason: joined,
        outcome,
        opening,
        from: NO_HEADER + STEP.parked,
      }),
    );
  } else if (step.when !== undefined && fate % 3 === 0) {
    relayed.calls.push(
      stepCalls.settle(world, run, key, {
        state: 'skipped',
        reason: 'when-false',
        outcome: 'skipped',
        opening,
        from: NO_HEADER + STEP.parked,
      }),
    );
  } else if (fate % 23 === 1) {
    // An expression that failed.
    relayed.calls.push(attemptCalls.forceFail(world, run, key, STATES.unclaimed + STEP.delaying, opening));
  } else if (step.kind === 'delay') {
    relayed.calls.push(stepCalls.startDelay(world, run, key, opening));
  } else if (step.kind === 'branch') {
    relayed.calls.push(takeBranch(world, run, key, fate, opening));
  } else if (step.kind === 'map') {
    relayed.calls.push(startMap(world, run, key, fate, opening));
  } else {
    dispatchStep(world, run, key, relayed);
  }
}

function takeBranch(world: World, run: ReferenceRun, key: StepKey, fate: number, opening: number): Call {
  const step = run.plan.steps[Number(key)]!;
  const targets = [...(step.cases ?? []).map(({ to }) => to), step.otherwise];
  const chosen = targets[fate % targets.length];
  const outputJson = JSON.stringify({ chosen: chosen === undefined ? null : run.plan.steps[chosen]!.id });
  return stepCalls.settle(world, run, key, { state: 'succeeded', outputJson, outcome: { chosen }, opening });
}

function startMap(world: World, run: ReferenceRun, key: StepKey, fate: number, opening: number): Call {
  const items = fate % 5;
  if (items === 0)
    return stepCalls.settle(world, run, key, { state: 'succeeded', outputJson: '[]', outcome: 'succeeded', opening });
  return stepCalls.startMap(world, run, key, { items, opening }, () => [
    attemptCalls.forceFail(world, run, key, STATES.unclaimed + STEP.delaying, opening),
  ]);
}

/** A step goes to workers: they get a hint now, its timers begin when the entry is acknowledged. */
function dispatchStep(world: World, run: ReferenceRun, key: StepKey, relayed: Relayed): void {
  const { work } = attemptCalls.stepOf(run.plan, key);
  // A stray claim of a step without work may have been held back: there is nothing to hand out.
  if (work === undefined) return;
  const { timeouts } = work;
  world.hints.push({ run, key });
  const timer = (letter: DueLetter): DueTimer => ({ letter, key, runId: run.id, inMs: FAR_MS });
  if (isCleanup(key)) {
    relayed.timers.push(timer(DUE.totalLimit), timer(DUE.hint));
    return;
  }
  relayed.timers.push(timer(DUE.hint));
  if (timeouts.queuedMs !== undefined) relayed.timers.push(timer(DUE.queuedLimit));
  if (timeouts.totalMs !== undefined) relayed.timers.push(timer(DUE.totalLimit));
}

/** Takes what is due in a partition; what only a scheduler can do follows, unless that scheduler has died. */
export function takeDue(world: World, tag: string, options: { dies: boolean; handsOut: boolean }): Call {
  return call({
    what: `take due of ${tag}`,
    send: () => world.state.transitions.takeDue(tag, 1000),
    apply: (reply, clock) => reference.takeDue(world.reference, tag, reply, clock),
    followUps: ({ taken }) =>
      options.dies
        ? []
        : taken.flatMap(({ letter, key, runId }) => fire(world, tag, letter, key, runId, options.handsOut)),
    equivalent: () => true,
  });
}

function fire(world: World, tag: string, letter: string, key: StepKey, runId: string, handsOut: boolean): Call[] {
  // The run's own limit needs no plan, so whether the run is still there does not matter.
  if (letter === DUE.runLimit) return [runCalls.timeOutRun(world, { tag, id: runId })];
  const run = world.reference.runs.get(runId);
  if (run === undefined) return [sweepOne(world, tag, runId, key)];
  switch (letter) {
    case 'd': {
      const settlement = {
        state: 'succeeded',
        outcome: 'succeeded',
        outputJson: '{}',
        from: STEP.delaying,
        timers: DUE.delay,
      } as const;
      return [stepCalls.settle(world, run, key, settlement)];
    }
    case 'q':
      return [stepCalls.recheck(world, run, key, handsOut)];
    default:
      if (isCleanup(key))
        return [cleanupCalls.expireCleanup(world, run, key), endTimer(world, tag, letter, key, runId)];
      return [
        attemptCalls.forceFail(
          world,
          run,
          key,
          letter === DUE.queuedLimit ? STATES.unclaimed : NO_HEADER + STATES.unsettled,
        ),
        endTimer(world, tag, letter, key, runId),
      ];
  }
}

function endTimer(world: World, tag: string, letter: string, key: StepKey, runId: string): Call {
  return call({
    what: `end timer ${letter} ${key} ${runId}`,
    send: () => world.state.transitions.endTimer({ tag, runId, key }, letter),
    apply: () => world.reference.due.remove(tag, dueMember(letter, key, runId)),
  });
}

function sweepOne(world: World, tag: string, runId: string, key: StepKey): Call {
  return call({
    what: `sweep ${key} of ${runId}, which is gone`,
    send: () => world.state.transitions.sweepRun(tag, runId, [key]),
    apply: () => runTransitions.sweepRun(world.reference, tag, runId, [key]),
  });
}

const CRASH_LIMIT = 2;

/** Ends attempts whose worker's lease is over; what needs the plan follows, unless the scheduler has died. */
export function reclaim(world: World, tag: string, options: { dies: boolean }): Call {
  const settings = { limit: 1000, pauseMs: Number.MAX_SAFE_INTEGER, suspensionMs: 0, crashLimit: CRASH_LIMIT };
  return call({
    what: `reclaim in ${tag}`,
    send: () => world.state.transitions.reclaim(tag, settings),
    apply: (reply, clock) => failures.reclaim(world.reference, tag, CRASH_LIMIT, reply, clock),
    followUps: ({ undecided }) =>
      options.dies
        ? []
        : undecided.map(({ why, key, runId, fenceOffset, attemptId }) => {
            const run = world.reference.runs.get(runId)!;
            const known = { run, key, attemptId, fence: run.createdAt + fenceOffset, worker: '' };
            if (isCleanup(key)) return cleanupCalls.endCleanup(world, known, why === 'crashes' ? 'failed' : 'retried');
            return attemptCalls.fail(world, known, why === 'crashes' ? 'quarantine' : 'timed-out');
          }),
    equivalent: () => true,
  });
}
