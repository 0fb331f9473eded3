import assert from 'node:assert/strict';
import * as attemptCalls from './attempt-calls.ts';
import { claimCleanup, endCleanup, isCleanup } from './cleanup-calls.ts';
import * as runCalls from './run-calls.ts';
import { reclaim, relayEntry, takeDue } from './scheduler-actor.ts';
import * as stepCalls from './step-calls.ts';
import type { World } from './world.ts';

const MOST_TURNS = 600;

/** No more faults: schedulers and workers go on until there is nothing left to do. */
export async function quiesce(world: World, chance: number): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    if (!(await takeTurn(world, chance + turn))) return;
  }
  const open = world.runs
    .filter((run) => !run.isTerminal)
    .map((run) => ({ id: run.id, status: run.status, steps: [...run.steps] }));
  assert.fail(`nothing comes to rest: ${JSON.stringify(open)}`);
}

async function takeTurn(world: World, chance: number): Promise<boolean> {
  const { reference } = world;
  const paused = world.runs.find(({ status }) => status === 'paused');
  if (paused !== undefined) {
    await world.execute([runCalls.pauseOrResume(world, paused, 'resume-run')]);
    return true;
  }
  const entry = reference.outbox[0];
  if (entry !== undefined) {
    const relayed = relayEntry(world, entry, chance);
    await world.execute([...relayed.calls, stepCalls.dispatched(world, entry.tag, [entry.id], relayed.timers)]);
    return true;
  }
  const hint = world.hints.shift();
  if (hint !== undefined) {
    if (reference.runs.get(hint.run.id) === hint.run) {
      const claim = isCleanup(hint.key) ? claimCleanup : attemptCalls.claim;
      await world.execute([claim(world, hint.run, hint.key, 'w1', false)]);
    }
    return true;
  }
  for (const known of [...world.attempts.values()].reverse()) {
    const step = known.run.steps.get(known.key);
    if (step?.state !== 'running' || step.attemptId !== known.attemptId) continue;
    await world.execute([
      isCleanup(known.key)
        ? endCleanup(world, known, 'succeeded')
        : attemptCalls.commit(world, known, { mayContinue: chance % 2 === 0 }),
    ]);
    return true;
  }
  for (const tag of world.tags) {
    const due = [...reference.due.of(tag).keys()];
    if (due.length > 0) {
      await world.makeDue('due', tag, due);
      await world.execute([takeDue(world, tag, { dies: false, handsOut: true })]);
      return true;
    }
    const inFlight = [...reference.lease.of(tag).keys()];
    if (inFlight.length > 0) {
      await world.makeDue('lease', tag, inFlight);
      await world.execute([reclaim(world, tag, { dies: false })]);
      return true;
    }
  }
  return false;
}
