import { didYouMean } from '@flotilla/contracts';
import { shorten } from './problem-list.ts';

type StepIndex = ReadonlyMap<string, number>;

/** Names are compared for so many problems of a definition: comparing costs, and one with more was not typed by a person. */
const MAX_SUGGESTIONS = 20;
const suggestions = new WeakMap<StepIndex, number>();

/** Of a step that is named in `needs` and the like. */
export function explainUnknownStep(name: string, stepIndex: StepIndex): string {
  const map = /^(.{1,128})\[\d+\]$/.exec(name)?.[1];
  if (map !== undefined && stepIndex.has(map)) {
    return `${shorten(name)} is one item of the map ${map}: name the map, ${map}, and read the item as steps${accessTo(map)}.output${name.slice(map.length)}`;
  }
  return `there is no step ${shorten(name)}${suggest(name, stepIndex)}`;
}

/** Of a step that an expression reads: `source` from where its name begins, `name` what was understood of it. */
export function explainUnreadableStep(name: string, source: string, stepIndex: StepIndex): string {
  const written = /^steps\s*\.\s*([\w.-]{1,256})/.exec(source)?.[1] ?? '';
  // What reads as a subtraction or as a field is an id when a step is called so.
  for (let end = written.length; end > name.length; end = lastPart(written, end)) {
    const id = written.slice(0, end);
    if (stepIndex.has(id)) return `there is no step ${shorten(name)}; the step ${id} is read as steps${accessTo(id)}`;
  }
  return `there is no step ${shorten(name)}${suggest(name, stepIndex)}`;
}

function suggest(name: string, stepIndex: StepIndex): string {
  const made = suggestions.get(stepIndex) ?? 0;
  suggestions.set(stepIndex, made + 1);
  return made < MAX_SUGGESTIONS ? didYouMean(name, stepIndex.keys()) : '';
}

function lastPart(written: string, end: number): number {
  return Math.max(written.lastIndexOf('-', end - 1), written.lastIndexOf('.', end - 1));
}

function accessTo(id: string): string {
  return /^[A-Za-z_]\w*$/.test(id) ? `.${id}` : `["${id}"]`;
}
