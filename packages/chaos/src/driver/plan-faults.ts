import type { Chance } from '../random.ts';
import { type FaultId, type FaultVariant, faultOf, type Hold } from './fault-table.ts';

export interface PlannedFault {
  /** From 1. */
  number: number;
  id: FaultId;
  variant: FaultVariant;
  /** From the beginning of the fault window. */
  atMs: number;
  /** Which worker it is meant for, as far as it is meant for one. */
  slot: number;
}

export interface PlanOptions {
  chance: Chance;
  faults: readonly FaultId[];
  windowMs: number;
  workers: number;
  /** Those of them that come first, in this order and each in its first way; nothing else does until they are over. */
  beginWith?: readonly FaultId[];
}

/** A process that was killed or stopped is back after this, on a busy machine. */
const RESTART_MS = 3000;
/** No single fault may take more of the window. */
const MOST_SHARE = 0.25;
const LEAST_GAP_MS = 500;

/**
 * Which fault comes when, and to whom: decided by the seed alone. Every kind comes once before any comes twice, as far
 * as the window reaches, and each time in another way. Faults overlap, but never two that hold the same thing.
 */
export function planFaults({ chance, faults, windowMs, workers, beginWith = [] }: PlanOptions): PlannedFault[] {
  const planned: PlannedFault[] = [];
  const freeAt = new Map<string, number>();
  const turns = new Map<FaultId, number>();
  const opening = beginWith.filter((id) => faults.includes(id));
  const others = faults.filter((id) => !opening.includes(id));
  let round: FaultId[] = [...opening, ...shuffled(others, chance)];
  let atMs = 0;
  for (let tries = 0; tries < 100_000; tries += 1) {
    if (round.length === 0) round = shuffled(faults, chance);
    const id = round.shift();
    if (id === undefined) return planned;
    const variant = nextVariant(id, turns, windowMs);
    const slot = chance.between(0, workers - 1);
    const key = holdKey(faultOf(id).hold, slot);
    const startMs = Math.max(atMs, freeAt.get(key) ?? 0);
    if (startMs + variant.holdMs > windowMs) return planned;
    planned.push({ number: planned.length + 1, id, variant, atMs: Math.round(startMs), slot });
    freeAt.set(key, startMs + variant.holdMs + RESTART_MS);
    // With one kind alone each is to be seen by itself; in a mix the next may come while this one lasts.
    const gapMs = chance.between(LEAST_GAP_MS, 6000);
    atMs = startMs + gapMs + (faults.length === 1 ? variant.holdMs + faultOf(id).boundMs : 0);
    if (planned.length === opening.length) atMs += Math.max(...planned.map(endOf)) - startMs;
  }
  return planned;
}

const endOf = ({ atMs, variant }: PlannedFault): number => atMs + variant.holdMs;

function nextVariant(id: FaultId, turns: Map<FaultId, number>, windowMs: number): FaultVariant {
  const { variants } = faultOf(id);
  const fitting = variants.filter(({ holdMs }) => holdMs <= windowMs * MOST_SHARE);
  const turn = turns.get(id) ?? 0;
  turns.set(id, turn + 1);
  // What is too long for the window is made nevertheless when there is no shorter one.
  return fitting[turn % fitting.length] ?? variants[0]!;
}

function holdKey(hold: Hold, slot: number): string {
  return hold === 'worker' ? `worker ${slot}` : hold;
}

function shuffled<Item>(items: readonly Item[], chance: Chance): Item[] {
  const left = [...items];
  const order: Item[] = [];
  while (left.length > 0) order.push(...left.splice(chance.between(0, left.length - 1), 1));
  return order;
}
