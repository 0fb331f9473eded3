import type { Json, StepView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { PREFIX } from './format.ts';
import { takesTurns, turnTakers } from './output-of-items.ts';
import type { PlanShapeStep } from './plan-shape.ts';

/** Turns of one step, one after the other from number `first`. */
interface Turns {
  step: PlanShapeStep;
  first: number;
  steps: readonly StepView[];
}

/**
 * Tells whose turns they are, by what the last of them saw: it knows who had the turns before. Nothing when the step's items are
 * no turns. Resolves to the length of what was read.
 */
export async function nameTurnTakers(
  client: RedisClient,
  runKey: string,
  { step, first, steps }: Turns,
): Promise<number> {
  if (!takesTurns(step.kind) || steps.length === 0) return 0;
  const itemJson = await client.hget(runKey, `${PREFIX.item}${step.index}.${first + steps.length - 1}`);
  const names = itemJson === null ? [] : turnTakers(step.kind, parse(itemJson));
  for (const [index, view] of steps.entries()) {
    const name = names[first + index];
    if (name !== undefined) view.turnOf = name;
  }
  return itemJson?.length ?? 0;
}

/** Who reads outputs is told of damage; a list goes without the names. */
function parse(itemJson: string): Json {
  try {
    return JSON.parse(itemJson) as Json;
  } catch {
    return null;
  }
}
