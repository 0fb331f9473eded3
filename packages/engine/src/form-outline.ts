import type { Json } from '@flotilla/contracts';

type Fields = { [key: string]: Json };

/** Fields that take any JSON. */
const FREE_FIELDS = ['input', 'default', 'action', 'output', 'body'];
/** Fields that take any record. */
const RECORD_FIELDS = ['definition', 'metadata'];

/**
 * A step as the check of its form needs it: what may be any JSON, and has been seen to be that, is left out. A schema goes over a
 * megabyte of it for half a second.
 */
export function outlineOfStep(step: Json): Json {
  if (!isFields(step)) return step;
  const outline = { ...step };
  for (const field of FREE_FIELDS) if (isContainer(outline[field])) outline[field] = null;
  for (const field of RECORD_FIELDS) if (isFields(outline[field])) outline[field] = {};
  for (const field of ['each', 'request']) {
    const inner = outline[field];
    if (isFields(inner)) outline[field] = outlineOfStep(inner);
  }
  return outline;
}

/** The same of a definition without its steps. */
export function outlineOfFrame(document: Fields): Fields {
  const outline = { ...document };
  if (isContainer(outline['output'])) outline['output'] = null;
  for (const field of ['input', 'metadata']) if (isFields(outline[field])) outline[field] = {};
  if (isFields(outline['steps'])) outline['steps'] = {};
  return outline;
}

function isContainer(value: Json | undefined): boolean {
  return typeof value === 'object' && value !== null;
}

function isFields(value: Json | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
