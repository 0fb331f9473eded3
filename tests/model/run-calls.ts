import { createHash } from 'node:crypto';
import { FlotillaError, isFlotillaError } from '@flotilla/contracts';
import { resetRun } from '@flotilla/scheduler';
import { errorJson } from './attempt-calls.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import type { Selection } from './reference/retry-transitions.ts';
import * as retryTransitions from './reference/retry-transitions.ts';
import * as runTransitions from './reference/run-transitions.ts';
import { type Call, call, type World } from './world.ts';

/** The calls that users and schedulers make of a run as a whole. */

const cancelJson = JSON.stringify({ type: 'cancelled', code: 'CANCELLED', message: 'enough' });

export function cancelRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `cancel ${run.id}`,
    send: () => orGone(world.state.transitions.cancelRun(run.tag, run.id, cancelJson)),
    apply: (reply) => runTransitions.cancelRun(world.reference, run.id, cancelJson, reply),
    equivalent: () => true,
  });
}

export function timeOutRun(world: World, run: Pick<ReferenceRun, 'tag' | 'id'>): Call {
  return call({
    what: `time out ${run.id}`,
    send: () => world.state.transitions.timeOutRun(run.tag, run.id, errorJson),
    apply: () => runTransitions.timeOutRun(world.reference, run.tag, run.id, errorJson),
  });
}

export function failRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `fail ${run.id} as a whole`,
    send: () => world.state.transitions.failRun(run.tag, run.id, errorJson),
    apply: () => runTransitions.failRun(world.reference, run.id, errorJson),
  });
}

export function retryRun(world: World, run: ReferenceRun, selection: Selection, seen: number | undefined): Call {
  const stepIds = selection.only?.map((index) => run.plan.steps[index]!.id);
  const from = selection.from === undefined ? undefined : run.plan.steps[selection.from]!.id;
  const data = { ...(from === undefined ? {} : { from }), ...(stepIds === undefined ? {} : { steps: stepIds }) };
  const args = { seen, selectionJson: JSON.stringify(selection), dataJson: JSON.stringify(data) };
  return call({
    what: `retry ${run.id} ${args.selectionJson}`,
    send: () => orGone(world.state.transitions.retryRun(run.tag, run.id, args)),
    apply: (reply) => retryTransitions.retryRun(world.reference, run.id, { selection, seen, data }, reply),
    equivalent: () => true,
  });
}

export function discardDeadLetters(
  world: World,
  run: ReferenceRun,
  steps: readonly number[],
  seen: number | undefined,
): Call {
  return call({
    what: `discard dead letters ${steps.join()} of ${run.id}`,
    send: async () => {
      const keys = steps.map(String);
      const reply = await orGone(world.state.transitions.discardDeadLetters(run.tag, run.id, seen, keys));
      return typeof reply === 'object' && 'refused' in reply ? ('refused' as const) : reply;
    },
    apply: (reply) => retryTransitions.discardDeadLetters(world.reference, run.id, { seen, steps }, reply),
    // What was discarded is not there to be discarded again.
    equivalent: () => true,
  });
}

/** A scheduler takes away what is made anew and lets the run go on: several scripts, as one call here. */
export function reopenRun(world: World, run: ReferenceRun, opening: number, start: () => Call[]): Call {
  return call({
    what: `reopen ${run.id} for the ${opening}th time`,
    alone: true,
    send: () => resetRun(world.state, run.plan, run.id, opening),
    apply: (_, clock) => retryTransitions.reopen(world.reference, run, opening, clock),
    followUps: () => (run.opening === opening && run.isActive ? start() : []),
    equivalent: () => true,
  });
}

export function pauseOrResume(world: World, run: ReferenceRun, what: 'pause-run' | 'resume-run'): Call {
  return call({
    what: `${what} ${run.id}`,
    send: async () => {
      try {
        return await orGone(world.state.transitions.pauseOrResume(what, run.tag, run.id).then(() => 'done' as const));
      } catch (error) {
        if (isFlotillaError(error) && error.code === 'RUN_NOT_ACTIVE') return 'refused' as const;
        throw error;
      }
    },
    apply: (reply) =>
      (what === 'pause-run' ? runTransitions.pauseRun : runTransitions.resumeRun)(world.reference, run.id, reply),
  });
}

async function orGone<T>(reply: Promise<T>): Promise<T | 'gone'> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof FlotillaError && error.code === 'RUN_NOT_FOUND') return 'gone';
    throw error;
  }
}

export function finishRun(world: World, run: ReferenceRun, succeeded: boolean): Call {
  const end = succeeded ? { outputJson: '{"done":true}' } : { errorJson };
  return call({
    what: `finish ${run.id}`,
    send: () => world.state.transitions.finishRun(run.tag, run.id, end),
    apply: () => runTransitions.finishRun(world.reference, run.id, end),
  });
}

export function sweepRun(world: World, run: ReferenceRun): Call {
  const keys = [...run.plan.steps.map(({ index }) => String(index)), ...run.items.keys()];
  return call({
    what: `sweep ${run.id}`,
    send: () => world.state.transitions.sweepRun(run.tag, run.id, keys),
    apply: () => runTransitions.sweepRun(world.reference, run.tag, run.id, keys),
  });
}

export function pruneRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `prune ${run.id}`,
    send: () => world.state.transitions.pruneRun(run.tag, run.id),
    apply: (reply) => {
      runTransitions.pruneRun(world.reference, run.id, reply);
      if (reply) world.forget(run.id);
    },
  });
}

export function bodyHashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
