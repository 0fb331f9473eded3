import { didYouMean, pointerToken, type StepDefinition } from '@flotilla/contracts';
import { type ProblemList, shorten } from './problem-list.ts';

type Handoff = Extract<StepDefinition, { kind: 'handoff' }>;
type Conversation = Extract<StepDefinition, { kind: 'conversation' }>;

/** Whom agents may hand over to: agents that are declared, and all of them within reach of the first. */
export function checkHandoff({ agents, start, maxHops }: Handoff, path: string, problems: ProblemList): void {
  const names = Object.keys(agents);
  if (names.length < 2) problems.error('ILLEGAL_VALUE', `${path}/agents`, 'a handoff needs two agents or more');
  const isKnown = (name: string) => Object.hasOwn(agents, name);
  const unknown = (name: string) => `there is no agent ${shorten(name)} in agents${didYouMean(name, names)}`;
  if (!isKnown(start)) problems.error('ILLEGAL_VALUE', `${path}/start`, unknown(start));
  for (const [name, { targets = [] }] of Object.entries(agents)) {
    for (const [position, target] of targets.entries()) {
      const pointer = `${path}/agents/${pointerToken(name)}/targets/${position}`;
      if (target === name) problems.error('ILLEGAL_VALUE', pointer, 'an agent cannot hand over to itself');
      else if (!isKnown(target)) problems.error('ILLEGAL_VALUE', pointer, unknown(target));
      else if (targets.indexOf(target) < position) problems.error('ILLEGAL_VALUE', pointer, 'is named twice');
    }
  }
  if (!isKnown(start)) return;
  const hopsTo = countHops(agents, start);
  for (const name of names) {
    const pointer = `${path}/agents/${pointerToken(name)}`;
    const hops = hopsTo.get(name);
    if (hops === undefined) {
      problems.error('ILLEGAL_VALUE', pointer, `no chain of targets leads from ${shorten(start)} to ${shorten(name)}`);
    } else if (hops > maxHops) {
      const message = `${shorten(name)} is ${hops} hand-offs away from ${shorten(start)}; maxHops is ${maxHops}`;
      problems.error('ILLEGAL_VALUE', pointer, message);
    }
  }
}

/** By agent: how many hand-offs it takes at least until it has its turn. */
function countHops(agents: Handoff['agents'], start: string): Map<string, number> {
  const hops = new Map([[start, 0]]);
  // The map grows while it is gone through: those found last are looked at last.
  for (const [name, away] of hops) {
    for (const target of agents[name]?.targets ?? []) {
      if (Object.hasOwn(agents, target) && !hops.has(target)) hops.set(target, away + 1);
    }
  }
  return hops;
}

/** Each participant has a name of its own, and gets a turn when they speak in their order. */
export function checkConversation(
  { participants, next, maxTurns }: Conversation,
  path: string,
  problems: ProblemList,
): void {
  for (const [position, name] of participants.entries()) {
    const pointer = `${path}/participants/${position}`;
    if (participants.indexOf(name) < position) problems.error('ILLEGAL_VALUE', pointer, 'is named twice');
    else if (next === undefined && position >= maxTurns) {
      const message = `${shorten(name)} never speaks: maxTurns is ${maxTurns}`;
      problems.error('ILLEGAL_VALUE', pointer, message);
    }
  }
}
