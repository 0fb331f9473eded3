import { type FleetMember, within } from '@flotilla/local-fleet';
import type { Scene } from '../scene.ts';

/**
 * A worker that stood still for 14 s is given up after 7 to 11 s. So long a step is then under way elsewhere when it comes
 * back with a result of its own: where that is accepted, it shows.
 */
const LONG_STEP_MS = 8000;
const MOST_MS = 5000;

/**
 * Starts runs of one long step until this worker has one under way. Other workers take some of them. Gives up without a
 * word after 5 s: in a mix Redis may be away, and the fault is to come all the same.
 */
export async function giveLongStep({ fleet: { api } }: Scene, member: FleetMember, prefix: string): Promise<void> {
  const step = { kind: 'task', use: 'flotilla.sleep', input: { ms: LONG_STEP_MS } };
  const definition = { flotilla: 1, name: 'chaos-long', steps: { step } };
  const endsAt = performance.now() + MOST_MS;
  const leftMs = () => Math.max(1, endsAt - performance.now());
  const giveOne = async (runId: string): Promise<boolean> => {
    await api.start({ definition, runId }, { timeoutMs: leftMs() });
    const { worker } = await api.waitForEvent(runId, ({ type }) => type === 'attempt-started', leftMs());
    return worker === member.id;
  };
  for (let number = 1; performance.now() < endsAt; number += 1) {
    const isHeld = await within(giveOne(`${prefix}-${number}`), leftMs(), 'a long step').catch(() => false);
    if (isHeld) return;
  }
}
