import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, type FleetMember } from '@flotilla/local-fleet';
import { queueOf } from '../scene.ts';
import type { Injector } from './injury.ts';
import { giveLongStep } from './long-step.ts';

const BACK_MS = 90_000;

/** F1 */
export const killWorker: Injector = async (scene, { slot: preferred }) => {
  const { slot, member, release } = await scene.holdWorker(preferred);
  const startAt = Date.now();
  const { exit, started } = await slot.killAndStart();
  void started.finally(release).catch(() => undefined);
  const proof = exit.signal === 'SIGKILL' ? [`process ${member.process.pid} ended by SIGKILL`] : [];
  return { startAt, endAt: startAt, targets: [member.id], proof };
};

/** F2 */
export const restartWorker: Injector = async (scene, { slot: preferred }) => {
  const { slot, member, release } = await scene.holdWorker(preferred);
  const startAt = Date.now();
  try {
    const { exit, tookMs } = await slot.restart();
    const proof = exit.code === 0 ? [`process ${member.process.pid} drained in ${Math.round(tookMs)} ms, code 0`] : [];
    return { startAt, endAt: startAt, targets: [member.id], proof };
  } finally {
    release();
  }
};

/** F3 */
export const freezeWorker: Injector = async (scene, { number, slot: preferred, variant }) => {
  const { member, release } = await scene.holdWorker(preferred);
  try {
    await giveLongStep(scene, member, `frozen-${number}`);
    const startAt = Date.now();
    member.pause();
    await eventually(async () => (await stateOf(member)) === 'T', { timeoutMs: 2000, message: 'the process to stop' });
    await pause(variant.holdMs);
    const proof = (await stateOf(member)) === 'T' ? [`process ${member.process.pid} stood still (state T)`] : [];
    member.resume();
    const endAt = Date.now();
    const rejoinMs = await untilSeen(scene.fleet.api, member, endAt);
    return { startAt, endAt, targets: [member.id], proof, rejoinMs };
  } finally {
    member.resume();
    release();
  }
};

/** F4 */
export const blockWorker: Injector = async (scene, { number, slot: preferred, variant }) => {
  const { slot, member, release } = await scene.holdWorker(preferred);
  const mark = join(scene.folder, `block-${number}`);
  try {
    const step = { kind: 'task', use: 'block-loop', queue: queueOf(slot.index), input: { mark, ms: variant.holdMs } };
    const definition = { flotilla: 1, name: 'chaos-block', steps: { step } };
    // In a mix Redis may be away for 25 s just then.
    await scene.fleet.api.start({ definition, runId: `block-${number}` }, { timeoutMs: 60_000 });
    const begun = () => readFile(mark, 'utf8').catch(() => undefined);
    await eventually(async () => (await begun()) !== undefined, { timeoutMs: 20_000, message: 'the step to begin' });
    const startAt = Date.now();
    await eventually(async () => ((await begun()) ?? '') !== '', {
      timeoutMs: variant.holdMs + 5000,
      intervalMs: 50,
      message: 'the step to let go of the loop',
    });
    const blockedMs = await begun();
    return {
      startAt,
      endAt: Date.now(),
      targets: [member.id],
      proof: [`the event loop of ${member.id} stood still for ${blockedMs} ms`],
    };
  } finally {
    release();
  }
};

/** `T`: stopped. Linux only; elsewhere the signal itself has to do. */
async function stateOf(member: FleetMember): Promise<string> {
  if (process.platform !== 'linux') return 'T';
  const text = await readFile(`/proc/${member.process.pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3);
}

interface AgentsApi {
  agents(): Promise<readonly { workerId: string; lastSeenAt: number }[]>;
}

/** How long after `endAt` the worker gave a heartbeat again; Infinity when it did not. */
export async function untilSeen(api: AgentsApi, member: FleetMember, endAt: number): Promise<number> {
  const seen = async () => {
    if (!member.process.running()) return Number.POSITIVE_INFINITY;
    const agent = (await api.agents()).find(({ workerId }) => workerId === member.id);
    return agent !== undefined && agent.lastSeenAt >= endAt ? agent.lastSeenAt - endAt : undefined;
  };
  return eventually(seen, { timeoutMs: BACK_MS, intervalMs: 100, message: `${member.id} to be seen again` }).catch(
    () => Number.POSITIVE_INFINITY,
  );
}
