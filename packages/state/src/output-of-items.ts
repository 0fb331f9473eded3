import type { Json } from '@flotilla/contracts';

/** What the items of a step came to. */
export interface EndedItems {
  outputs: Json[];
  succeeded: number;
  /** Of a loop, and of turns: why they ended. */
  endedBy: string;
  /** What the expressions of the last turn saw; null of others. */
  lastTurn: Json;
}

export function takesTurns(kind: string): boolean {
  return kind === 'handoff' || kind === 'conversation';
}

/** The output of a map, broadcast, loop, handoff or conversation. */
export function outputOfItems(kind: string | undefined, ended: EndedItems): Json {
  const { outputs, succeeded, endedBy, lastTurn } = ended;
  const last = outputs.at(-1) ?? null;
  switch (kind) {
    case 'loop':
      return { iterations: outputs.length, last, endedBy };
    case 'handoff':
      return { hops: outputs.length - 1, path: turnTakers(kind, lastTurn), last, endedBy };
    case 'conversation': {
      const speakers = turnTakers(kind, lastTurn);
      const transcript = outputs.map((output, turn) => ({ speaker: speakers[turn] ?? '', output }));
      return { turns: outputs.length, transcript, last, endedBy };
    }
    case 'broadcast':
      return { succeeded, outputs };
    default:
      return outputs;
  }
}

/** Who had the turns up to one of which is given what its expressions saw; empty when that is not known. */
export function turnTakers(kind: string, turn: Json): string[] {
  return kind === 'handoff'
    ? namesOf(turn, 'handoffs', 'from', 'agent')
    : namesOf(turn, 'speakers', undefined, 'speaker');
}

/** Those of a list of the last one, each a name or a record with it, and who had that one. */
function namesOf(turn: Json, list: string, field: string | undefined, own: string): string[] {
  if (typeof turn !== 'object' || turn === null || Array.isArray(turn)) return [];
  const before = turn[list];
  const names = (Array.isArray(before) ? before : []).map((each) =>
    field !== undefined && typeof each === 'object' && each !== null && !Array.isArray(each) ? each[field] : each,
  );
  return [...names, turn[own]].map(String);
}
