/** Characters that are parsed in one piece: some milliseconds, whatever the text is. */
const PIECE_CHARACTERS = 32_768;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;

/**
 * `JSON.parse` in pieces, for who has others to serve: a few megabytes of small objects take it half a second. Parts that are short
 * are parsed by `JSON.parse`, so grammar, numbers and keys given twice are as there. Error: `SyntaxError` whose message ends in
 * `at position N`. The caller bounds the depth.
 */
export function* parseJsonInPieces(text: string): Generator<void, unknown> {
  return text.length <= PIECE_CHARACTERS ? JSON.parse(text) : yield* parsePart(text, 0, text.length);
}

function* parsePart(text: string, from: number, to: number): Generator<void, unknown> {
  if (to - from <= PIECE_CHARACTERS) return parsePiece(text, from, to, '', '');
  const start = skipSpace(text, from, to);
  const opening = text[start];
  if (opening !== '{' && opening !== '[') return parsePiece(text, from, to, '', '');
  const end = endOfValue(text, start, to);
  if (skipSpace(text, end, to) !== to) throw syntaxError(end);
  if (text[end - 1] !== (opening === '[' ? ']' : '}')) throw syntaxError(end - 1);
  yield;
  return yield* opening === '[' ? parseList(text, start + 1, end - 1) : parseRecord(text, start + 1, end - 1);
}

function* parseList(text: string, from: number, to: number): Generator<void, unknown[]> {
  const list: unknown[] = [];
  for (const [start, end] of runsOfParts(text, from, to)) {
    if (end - start > PIECE_CHARACTERS) list.push(yield* parsePart(text, start, end));
    else for (const part of parsePiece(text, start, end, '[', ']') as unknown[]) list.push(part);
    yield;
  }
  return list;
}

function* parseRecord(text: string, from: number, to: number): Generator<void, object> {
  const record: Record<string, unknown> = {};
  for (const [start, end] of runsOfParts(text, from, to)) {
    if (end - start > PIECE_CHARACTERS) {
      const keyStart = skipSpace(text, start, end);
      const keyEnd = endOfValue(text, keyStart, end);
      const colon = skipSpace(text, keyEnd, end);
      if (text.charCodeAt(keyStart) !== QUOTE || text.charCodeAt(colon) !== COLON) throw syntaxError(keyStart);
      const key = parsePiece(text, keyStart, keyEnd, '', '') as string;
      define(record, key, yield* parsePart(text, colon + 1, end));
    } else {
      for (const [key, part] of Object.entries(parsePiece(text, start, end, '{', '}') as object))
        define(record, key, part);
    }
    yield;
  }
  return record;
}

function define(record: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') record[key] = value;
  else Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The ranges between commas; short parts that stand side by side are one range. */
function* runsOfParts(text: string, from: number, to: number): Generator<[number, number]> {
  if (skipSpace(text, from, to) === to) return;
  let runStart = from;
  let runEnd: number | undefined;
  for (let start = from; ; ) {
    const end = endOfPart(text, start, to);
    const isLong = end - start > PIECE_CHARACTERS;
    if (runEnd !== undefined && (isLong || end - runStart > PIECE_CHARACTERS)) {
      yield [runStart, runEnd];
      runStart = start;
    }
    runEnd = end;
    if (end >= to) break;
    start = end + 1;
    if (skipSpace(text, start, to) === to) throw syntaxError(end);
  }
  yield [runStart, runEnd];
}

/** Where the next comma at this level is, or the end. */
function endOfPart(text: string, start: number, to: number): number {
  for (let at = start; at < to; ) {
    if (text.charCodeAt(at) === COMMA) return at;
    at = endOfValue(text, at, to);
  }
  return to;
}

/** The position after the string or container that begins here, or after the character. */
function endOfValue(text: string, start: number, to: number): number {
  let depth = 0;
  for (let at = start; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at, to);
    else if (code === 123 || code === 91) depth += 1;
    else if (code === 125 || code === 93) depth -= 1;
    if (depth <= 0) return at + 1;
  }
  throw syntaxError(to);
}

function endOfString(text: string, open: number, to: number): number {
  for (let at = open + 1; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at;
  }
  throw syntaxError(to);
}

function skipSpace(text: string, start: number, to: number): number {
  let at = start;
  for (
    let code = text.charCodeAt(at);
    at < to && (code === 32 || (code >= 9 && code <= 13));
    code = text.charCodeAt(at)
  )
    at += 1;
  return at;
}

function parsePiece(text: string, from: number, to: number, before: string, after: string): unknown {
  try {
    return JSON.parse(before + text.slice(from, to) + after);
  } catch (error) {
    const position = Number(/at position (\d+)/.exec((error as Error).message)?.[1] ?? to - from);
    throw syntaxError(from + Math.max(0, position - before.length));
  }
}

function syntaxError(position: number): SyntaxError {
  return new SyntaxError(`the text is not JSON at position ${position}`);
}
