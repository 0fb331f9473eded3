import type { Json } from '@flotilla/contracts';

export interface CanonicalCopy {
  /** As `canonicalJson` writes it. */
  text: string;
  /** The same content, keys in the order of the text. */
  copy: Json;
  keys: number;
  /** Lists and records. */
  containers: number;
}

/** Values that are written in one piece: some milliseconds. */
const VALUES_A_PIECE = 5000;

interface Level {
  from: Json[] | { [key: string]: Json };
  to: Json[] | { [key: string]: Json };
  /** Undefined of a list. */
  keys: readonly string[] | undefined;
  next: number;
  /** A part has been written. */
  isBegun: boolean;
}

/**
 * Writes JSON in its canonical form (RFC 8785) and copies it on the way, in pieces: a definition of eight megabytes takes half a
 * second. The value must have passed `findJsonProblem`; properties that are undefined are left out.
 */
export function* copyCanonically(value: Json): Generator<void, CanonicalCopy> {
  const top: Level = { from: [value], to: [], keys: undefined, next: 0, isBegun: false };
  const levels: Level[] = [top];
  const chunks: string[] = [];
  let text = '';
  let [written, keys, containers] = [0, 0, 0];
  for (let level: Level | undefined = top; level !== undefined; level = levels.at(-1)) {
    const child = writeParts(level, (more) => {
      text += more;
    });
    if (child === undefined) levels.pop();
    else levels.push(child);
    if (child !== undefined) containers += 1;
    keys += child?.keys?.length ?? 0;
    written += child?.keys?.length ?? (Array.isArray(child?.from) ? child.from.length : 1);
    if (written < VALUES_A_PIECE) continue;
    written = 0;
    chunks.push(text);
    text = '';
    yield;
  }
  chunks.push(text);
  return { text: chunks.join('').slice(0, -1), copy: (top.to as Json[])[0]!, keys, containers };
}

/** Writes what is left of a list or record up to its next part that has parts itself, which is the answer. */
function writeParts(level: Level, write: (text: string) => void): Level | undefined {
  const { from, to, keys } = level;
  const count = keys?.length ?? (from as Json[]).length;
  while (level.next < count) {
    const place = keys === undefined ? level.next : keys[level.next]!;
    const part = (from as Record<string | number, Json | undefined>)[place];
    level.next += 1;
    if (part === undefined) continue;
    const before = `${level.isBegun ? ',' : ''}${keys === undefined ? '' : `${JSON.stringify(place)}:`}`;
    level.isBegun = true;
    if (typeof part === 'object' && part !== null) {
      const child = open(part);
      (to as Record<string | number, Json>)[place] = child.to;
      write(before + (child.keys === undefined ? '[' : '{'));
      return child;
    }
    // JSON has no negative zero.
    (to as Record<string | number, Json>)[place] = part === 0 ? 0 : part;
    write(before + JSON.stringify(part));
  }
  write(keys === undefined ? ']' : '}');
  return undefined;
}

function open(from: Json[] | { [key: string]: Json }): Level {
  if (Array.isArray(from)) return { from, to: [], keys: undefined, next: 0, isBegun: false };
  return { from, to: {}, keys: Object.keys(from).sort(), next: 0, isBegun: false };
}
