import { didYouMean, FlotillaError, type Json } from '@flotilla/contracts';
import { canonicalJson, sha256Hex } from './canonical-json.ts';
import type { EndedIteration } from './decide-loop.ts';
import { evaluateCondition } from './evaluate-expression.ts';
import type { PlanMap, PlanTurns, Scope } from './plan.ts';
import { shorten } from './problem-list.ts';

/** Why turns ended, beside the ends of a loop: the agent answered, or a hand-off was made a second time. */
export type TurnEnd = 'answer' | 'ping-pong';

type Handoffs = Extract<PlanTurns, { form: 'handoff' }>;
type Conversation = Extract<PlanTurns, { form: 'conversation' }>;
type Fields = { [key: string]: Json };
type Decision = { next: Json } | { end: 'condition' | 'limit' | TurnEnd };

/** What expressions find in `turn`. */
export const TURN_FIELDS = {
  handoff: ['index', 'agent', 'from', 'context', 'output', 'handoffs'],
  conversation: ['index', 'speaker', 'output', 'transcript', 'omitted', 'speakers'],
} as const;

export function firstTurn(turns: PlanTurns): Json {
  if (turns.form === 'handoff') {
    return { index: 0, agent: turns.start, from: null, context: null, output: null, handoffs: [] };
  }
  const speaker = turns.participants[0] ?? '';
  return { index: 0, speaker, output: null, transcript: [], omitted: 0, speakers: [] };
}

/** What follows a turn that has succeeded. Errors: EXPRESSION_FAILED, TURN_REFUSED. */
export function decideTurn(map: PlanMap, scope: Scope, ended: EndedIteration): Decision {
  const { turns } = map;
  if (turns === undefined) return { end: 'limit' };
  if (turns.form === 'handoff') return decideHandoff(turns, map.maxIterations, ended);
  return decideConversation(turns, { map, scope }, ended);
}

/**
 * Refuses an output that hands over to somebody who may not have the next turn, or in another form. `item`: what the
 * turn's expressions saw. Errors: TURN_REFUSED.
 */
export function assertHandoff(turns: Handoffs, item: Json, output: Json): void {
  handoffOf(turns, textOf(item, 'agent'), output);
}

function decideHandoff(turns: Handoffs, maxTurns: number, { index, item, output }: EndedIteration): Decision {
  const from = textOf(item, 'agent');
  const handoff = handoffOf(turns, from, output);
  if (handoff === undefined) return { end: 'answer' };
  const { to, context } = handoff;
  const before = listOf(item, 'handoffs');
  const made = { from, to, digest: sha256Hex(canonicalJson(context)).slice(0, DIGEST_CHARACTERS) };
  const isRepeated = before.some((earlier) => canonicalJson(earlier) === canonicalJson(made));
  if (isRepeated) return { end: 'ping-pong' };
  if (index + 1 >= maxTurns) return { end: 'limit' };
  return { next: { index: index + 1, agent: to, from, context, output, handoffs: [...before, made] } };
}

/** Sixteen characters: a hundred hand-offs do not meet by chance. */
const DIGEST_CHARACTERS = 16;

/** The hand-off that a turn asks for; undefined: it answers. */
function handoffOf(turns: Handoffs, from: string, output: Json): { to: string; context: Json } | undefined {
  if (!isFields(output) || output['handoff'] == null) return undefined;
  const { handoff } = output;
  if (!isFields(handoff) || typeof handoff['to'] !== 'string') {
    throw refused(`the handoff of ${from} is not { to, context? } with the name of one agent`);
  }
  const { to, context = null } = handoff;
  const targets = turns.targets.get(from) ?? [];
  if (targets.includes(to)) return { to, context };
  const whom = targets.length === 0 ? 'to nobody' : `only to ${targets.join(', ')}`;
  throw refused(`${from} may hand over ${whom}, not to ${shorten(to)}${didYouMean(to, targets)}`);
}

function decideConversation(
  turns: Conversation,
  { map, scope }: { map: PlanMap; scope: Scope },
  { index, item, output }: EndedIteration,
): Decision {
  const speaker = textOf(item, 'speaker');
  const said = { speaker, output };
  const omitted = numberOf(item, 'omitted');
  const kept = newestWithin([...listOf(item, 'transcript'), said], turns.maxTranscriptBytes);
  const transcript = kept.list;
  const seen = { output, transcript, omitted: omitted + kept.dropped };
  const speakers = [...listOf(item, 'speakers'), speaker];
  const turn = { name: map.as, value: { index, speaker, ...seen, speakers }, index };
  if (map.until !== undefined && evaluateCondition(map.until, { ...scope, item: turn })) return { end: 'condition' };
  if (index + 1 >= map.maxIterations) return { end: 'limit' };
  const next = nextSpeaker(turns, { ...scope, item: turn }, index + 1);
  return { next: { index: index + 1, speaker: next, ...seen, speakers } };
}

function nextSpeaker({ participants, next }: Conversation, scope: Scope, index: number): string {
  if (next === undefined) return participants[index % participants.length] ?? '';
  const name = next.evaluate(scope);
  if (typeof name !== 'string') throw refused(`${shorten(next.source, 200)} gives no text: it names nobody`);
  if (participants.includes(name)) return name;
  throw refused(`there is no participant ${shorten(name)}${didYouMean(name, participants)}`);
}

/** The end of the list that fits, as JSON, into so many bytes. */
function newestWithin(list: readonly Json[], maxBytes: number): { list: Json[]; dropped: number } {
  let bytes = '[]'.length;
  let first = list.length;
  while (first > 0) {
    bytes += Buffer.byteLength(JSON.stringify(list[first - 1])) + (first === list.length ? 0 : ','.length);
    if (bytes > maxBytes) break;
    first -= 1;
  }
  return { list: list.slice(first), dropped: first };
}

function refused(message: string): FlotillaError {
  return new FlotillaError('TURN_REFUSED', message);
}

function isFields(value: Json | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(item: Json, field: string): string {
  const value = isFields(item) ? item[field] : undefined;
  return typeof value === 'string' ? value : '';
}

function numberOf(item: Json, field: string): number {
  const value = isFields(item) ? item[field] : undefined;
  return typeof value === 'number' ? value : 0;
}

function listOf(item: Json, field: string): Json[] {
  const value = isFields(item) ? item[field] : undefined;
  return Array.isArray(value) ? value : [];
}
