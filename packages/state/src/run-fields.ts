import { PREFIX } from './format.ts';
import type { StepKey } from './plan-shape.ts';

/** Names of a run's fields of which there are many. A step's key may be its index. */
type Key = StepKey | number;

export const headerField = (key: Key) => `${PREFIX.header}${key}`;
export const outputField = (key: Key) => `${PREFIX.output}${key}`;
export const itemField = (key: Key) => `${PREFIX.item}${key}`;
export const rateLimitedField = (key: Key) => `${PREFIX.rateLimited}${key}`;
export const lossesField = (key: Key) => `${PREFIX.losses}${key}`;
export const chainField = (head: Key) => `${PREFIX.chain}${head}`;
export const setAsideField = (key: Key) => `${PREFIX.setAside}${key}`;
export const cleanupField = (number: number) => `${PREFIX.cleanup}${number}`;
/** Of the newest of a step's progress; the places are behind it. */
export const progressField = (key: Key) => `${PREFIX.progress}${key}`;
export const progressPlaceField = (key: Key, place: number) => `${PREFIX.progress}${key}~${place}`;

/** The two fields of a step that most readers want. */
export const headerAndOutput = (key: Key): [string, string] => [headerField(key), outputField(key)];
