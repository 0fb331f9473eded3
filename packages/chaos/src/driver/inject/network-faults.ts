import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosProxy, ProxyMode } from '@flotilla/local-fleet';
import type { PlannedFault } from '../plan-faults.ts';
import type { Scene } from '../scene.ts';
import type { Injector, Injury } from './injury.ts';
import { untilSeen } from './worker-faults.ts';

/** Packets that were dropped for so long are still repeated by TCP; after more the connection is as good as gone. */
const STILL_REPEATED_MS = 8000;
const BREAK_EVERY_MS = 2000;

/** F12 */
export const cutOffWorker: Injector = (scene, fault) =>
  throughProxy(scene, fault, {
    kind: 'black-hole',
    bytes: fault.variant.holdMs <= STILL_REPEATED_MS ? 'held' : 'lost',
  });

/** F13 */
export const halfCutOffWorker: Injector = (scene, fault) => {
  const direction = fault.variant.name === 'to Redis' ? 'to-server' : 'to-client';
  return throughProxy(scene, fault, { kind: 'black-hole', bytes: 'lost', direction });
};

/** F14 */
export const slowNetwork: Injector = (scene, fault) => {
  const latencyMs = Number.parseInt(fault.variant.name, 10);
  const mode: ProxyMode = { kind: 'slow', latencyMs, jitterMs: latencyMs / 4 };
  return throughProxy(scene, fault, mode, BREAK_EVERY_MS);
};

async function throughProxy(
  scene: Scene,
  { slot: preferred, variant }: PlannedFault,
  mode: ProxyMode,
  resetEveryMs?: number,
): Promise<Injury> {
  const { slot, member, release } = await scene.holdWorker(preferred);
  const { proxy } = slot;
  const before = proxy.counts();
  const startAt = Date.now();
  try {
    await proxy.setMode(mode);
    for (let leftMs = variant.holdMs; leftMs > 0; leftMs -= resetEveryMs ?? leftMs) {
      await pause(Math.min(leftMs, resetEveryMs ?? leftMs));
      if (resetEveryMs !== undefined) proxy.resetConnections();
    }
    const proof = proofOf(proxy, before, mode);
    await proxy.setMode({ kind: 'pass' });
    const endAt = Date.now();
    return { startAt, endAt, targets: [member.id], proof, rejoinMs: await untilSeen(scene.fleet.api, member, endAt) };
  } finally {
    await proxy.setMode({ kind: 'pass' });
    release();
  }
}

function proofOf(proxy: ChaosProxy, before: ReturnType<ChaosProxy['counts']>, mode: ProxyMode): string[] {
  const now = proxy.counts();
  const kept = (['to-server', 'to-client'] as const)
    .map((direction) => ({
      direction,
      bytes: now[direction].held + now[direction].swallowed - before[direction].held - before[direction].swallowed,
    }))
    .filter(({ bytes }) => bytes > 0)
    .map(({ direction, bytes }) => `${bytes} bytes ${direction.replace('-', ' ')} did not get through`);
  if (mode.kind !== 'slow') return kept;
  const late = now['to-server'].forwarded - before['to-server'].forwarded;
  const broken = now.reset - before.reset;
  return late > 0 && broken > 0 ? [`${late} bytes came late, ${broken} connections broke`] : [];
}
