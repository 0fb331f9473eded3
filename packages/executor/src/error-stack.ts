import { redactText } from '@flotilla/telemetry';

/** Of one error: where it was thrown is at the top. */
const MAX_FRAMES = 8;
/** Causes that are followed; also what ends a circle of them. */
const MAX_CAUSES = 4;
/** Of a cause, whose message is nowhere else. */
const MAX_CAUSE_MESSAGE = 300;
/** It is stored with each failed attempt, in the history too. */
const MAX_STACK = 3072;
/** Frames of Node and of what calls the handler say nothing of it. */
const NOT_THE_HANDLERS =
  /\(?(?:node:|.*[/\\](?:packages|@flotilla)[/\\](?:executor|steps)[/\\](?:src|dist)[/\\](?!.*\.test\.))/;

/**
 * Where an error of a handler was thrown, and those that caused it: bounded, and without what looks like a secret. Its own
 * message is left out, which is stored beside it. Undefined when it has no stack. Never throws, whatever was thrown.
 */
export function describeStack(error: unknown): string | undefined {
  const parts: string[] = [];
  let link = error;
  for (let causes = 0; causes <= MAX_CAUSES && isObject(link); causes += 1) {
    const frames = framesOf(link);
    const name = textOf(link, 'name') ?? 'Error';
    const head =
      causes === 0 ? name : `caused by ${name}: ${(textOf(link, 'message') ?? '').slice(0, MAX_CAUSE_MESSAGE)}`;
    if (frames.length > 0 || causes > 0) parts.push([head, ...frames].join('\n'));
    link = propertyOf(link, 'cause');
  }
  if (parts.length === 0) return undefined;
  const text = redactText(parts.join('\n')).toWellFormed();
  return text.length <= MAX_STACK ? text : `${text.slice(0, MAX_STACK - 1).toWellFormed()}…`;
}

function framesOf(error: object): string[] {
  const lines = (textOf(error, 'stack') ?? '').split('\n', 200);
  const frames = lines.filter((line) => /^\s+at /.test(line)).map((line) => `    ${line.trim().slice(0, 300)}`);
  return frames.filter((frame) => !NOT_THE_HANDLERS.test(frame)).slice(0, MAX_FRAMES);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function textOf(holder: object, name: string): string | undefined {
  const value = propertyOf(holder, name);
  return typeof value === 'string' ? value : undefined;
}

/** Getters and proxies may throw: what cannot be read is not there. */
function propertyOf(holder: object, name: string): unknown {
  try {
    return (holder as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
