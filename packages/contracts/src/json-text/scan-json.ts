import type { Problem } from '../errors.ts';
import { pointerToken } from '../json.ts';
import { runToEnd } from '../run-to-end.ts';
import { checkNumberText } from './number-text.ts';

/**
 * One pass over JSON text *before* `JSON.parse`, for what parsing would hide or choke on: depth, number of keys and items,
 * keys given twice (the parser keeps the last one silently), `__proto__`, numbers that a double cannot hold, lone
 * surrogates. It does not check the grammar; `JSON.parse` does that afterwards.
 *
 * Invariants: no recursion; every character is looked at once; work and memory are linear in the text and the depth is
 * bounded, so that hostile text costs no more than friendly text of the same length.
 */
export interface ScanLimits {
  /** Arrays and objects within each other, the outermost included. */
  maxDepth: number;
  /** Keys of objects plus items of arrays, in the whole text. */
  maxKeys: number;
  /** Keys of one object: parsing an object of very many keys takes far longer than its length suggests. */
  maxKeysOfObject: number;
}

/** Where a number stands in the text. */
export interface NumberSpan {
  start: number;
  end: number;
}

type ScanProblemCode =
  | 'JSON_TOO_DEEP'
  | 'PAYLOAD_TOO_LARGE'
  | 'DUPLICATE_KEY'
  | 'JSON_FORBIDDEN_KEY'
  | 'LONE_SURROGATE'
  | 'NUMBER_TOO_LARGE'
  | 'NUMBER_NOT_EXACT';

/** Problems told at most; a text with more is hostile or hopeless. */
const MAX_PROBLEMS = 100;
/** Objects with more keys than this look their keys up in a map, smaller ones compare them one by one. */
const FEW_KEYS = 8;
/** Characters of a string that are read one by one before jumping to the next quote or backslash. */
const SHORT_STRING = 64;

/** One array or object that is open at the current position. Reused for all of its depth. */
class Level {
  isObject = false;
  /** Objects: the key whose value is being read. */
  key = '';
  /** Arrays: the position of the item being read. */
  index = 0;
  count = 0;
  /** The first keys and where they stand in the text; then `seen` has all of them. */
  names: string[] = [];
  offsets: number[] = [];
  seen: Map<string, number> | undefined;

  open(isObject: boolean): void {
    this.isObject = isObject;
    this.key = '';
    this.index = 0;
    this.count = 0;
    this.seen = undefined;
  }

  /** Remembers a key; gives the offset of its first appearance when it was there before. */
  add(name: string, offset: number): number | undefined {
    this.key = name;
    this.count += 1;
    if (this.seen === undefined) {
      const before = this.count - 1;
      for (let index = 0; index < before; index += 1) if (this.names[index] === name) return this.offsets[index];
      this.names[before] = name;
      this.offsets[before] = offset;
      if (this.count > FEW_KEYS) {
        this.seen = new Map();
        for (let index = 0; index < this.count; index += 1) this.seen.set(this.names[index]!, this.offsets[index]!);
      }
      return undefined;
    }
    const first = this.seen.get(name);
    if (first === undefined) this.seen.set(name, offset);
    return first;
  }
}

/**
 * Problems of the text, in the order in which they stand there; empty when it may be parsed. Numbers that a double would
 * change are problems, too, unless `onInexactNumber` takes them.
 */
export function scanJson(text: string, limits: ScanLimits, onInexactNumber?: (span: NumberSpan) => void): Problem[] {
  return runToEnd(scanJsonInPieces(text, limits, onInexactNumber));
}

/** The same in pieces of some milliseconds. */
export function scanJsonInPieces(
  text: string,
  limits: ScanLimits,
  onInexactNumber?: (span: NumberSpan) => void,
): Generator<void, Problem[]> {
  return new Scanner(text, limits, onInexactNumber).run();
}

/** Characters that are scanned in one piece. */
const PIECE_CHARACTERS = 65_536;

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const LOWER_U = 117;

class Scanner {
  readonly #text: string;
  readonly #limits: ScanLimits;
  readonly #onInexactNumber: ((span: NumberSpan) => void) | undefined;
  readonly #problems: Problem[] = [];
  readonly #levels: Level[] = [];
  #depth = 0;
  #keys = 0;
  #expectKey = false;
  /** Positions of the next quote and backslash as last looked up: what makes jumping linear. */
  #nextQuote = -1;
  #nextBackslash = -1;

  constructor(text: string, limits: ScanLimits, onInexactNumber: ((span: NumberSpan) => void) | undefined) {
    this.#text = text;
    this.#limits = limits;
    this.#onInexactNumber = onInexactNumber;
  }

  *run(): Generator<void, Problem[]> {
    const text = this.#text;
    const length = text.length;
    let at = 0;
    let pieceEnd = PIECE_CHARACTERS;
    while (at < length) {
      if (at > pieceEnd) {
        pieceEnd = at + PIECE_CHARACTERS;
        yield;
      }
      const char = text.charCodeAt(at);
      if (char === QUOTE) {
        at = this.#string(at);
      } else if (char === COMMA) {
        if (!this.#comma()) return this.#problems;
        at += 1;
      } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
        if (!this.#enter(char === OPEN_BRACE)) return this.#problems;
        at += 1;
      } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
        if (this.#depth > 0) this.#depth -= 1;
        this.#expectKey = false;
        at += 1;
      } else if (char === MINUS || (char >= ZERO && char <= NINE)) {
        at = this.#number(at);
      } else {
        at += 1;
      }
      if (this.#problems.length >= MAX_PROBLEMS) return this.#problems;
    }
    return this.#problems;
  }

  #enter(isObject: boolean): boolean {
    if (this.#depth >= this.#limits.maxDepth) {
      this.#report('JSON_TOO_DEEP', `nested deeper than ${this.#limits.maxDepth} levels`);
      return false;
    }
    let level = this.#levels[this.#depth];
    if (level === undefined) {
      level = new Level();
      this.#levels[this.#depth] = level;
    }
    level.open(isObject);
    this.#depth += 1;
    this.#expectKey = isObject;
    return this.#count();
  }

  #comma(): boolean {
    const level = this.#levels[this.#depth - 1];
    if (this.#depth === 0 || level === undefined) return true;
    if (level.isObject) {
      this.#expectKey = true;
    } else {
      level.index += 1;
    }
    return this.#count();
  }

  #count(): boolean {
    this.#keys += 1;
    if (this.#keys <= this.#limits.maxKeys) return true;
    this.#report('PAYLOAD_TOO_LARGE', `more than ${this.#limits.maxKeys} keys and items`);
    return false;
  }

  /** Reads the string that opens at `open`; gives the position after it. */
  #string(open: number): number {
    const text = this.#text;
    const length = text.length;
    let at = open + 1;
    let escaped = false;
    let mayBeLone = false;
    while (at < length) {
      const char = text.charCodeAt(at);
      if (char === QUOTE) break;
      if (char === BACKSLASH) {
        escaped = true;
        // \uD800 to \uDFFF: half of a pair, whole only together with its other half.
        if (text.charCodeAt(at + 1) === LOWER_U && (text.charCodeAt(at + 2) | 32) === 100) mayBeLone = true;
        at += 2;
      } else {
        at = at - open < SHORT_STRING ? at + 1 : this.#jump(at);
      }
    }
    const isKey = this.#expectKey && this.#depth > 0;
    if (isKey && !this.#key(escaped ? decode(text.slice(open, at + 1)) : text.slice(open + 1, at), open)) return length;
    if (mayBeLone && !decode(text.slice(open, at + 1)).isWellFormed()) {
      this.#report('LONE_SURROGATE', `the ${isKey ? 'key' : 'text'} ${this.#where(open)} has half a surrogate pair`);
    }
    return at + 1;
  }

  /** The next quote or backslash at or after `at`, or the end. */
  #jump(at: number): number {
    if (this.#nextQuote < at) this.#nextQuote = orEnd(this.#text.indexOf('"', at));
    if (this.#nextBackslash < at) this.#nextBackslash = orEnd(this.#text.indexOf('\\', at));
    return Math.min(this.#nextQuote, this.#nextBackslash, this.#text.length);
  }

  #key(name: string, offset: number): boolean {
    this.#expectKey = false;
    const level = this.#levels[this.#depth - 1]!;
    const first = level.add(name, offset);
    if (name === '__proto__') {
      this.#report('JSON_FORBIDDEN_KEY', `the key __proto__ ${this.#where(offset)} is not accepted`);
    }
    if (first !== undefined) {
      const shown = JSON.stringify(name.length > 128 ? `${name.slice(0, 128)}…` : name);
      this.#report('DUPLICATE_KEY', `the key ${shown} stands ${this.#where(first)} and again ${this.#where(offset)}`);
    }
    if (level.count <= this.#limits.maxKeysOfObject) return true;
    this.#report('PAYLOAD_TOO_LARGE', `more than ${this.#limits.maxKeysOfObject} keys in one object`);
    return false;
  }

  #number(start: number): number {
    const text = this.#text;
    let at = start + 1;
    let exponent = false;
    for (; at < text.length; at += 1) {
      const char = text.charCodeAt(at);
      if (char >= ZERO && char <= NINE) continue;
      if (char === 69 || char === 101) exponent = true;
      else if (char !== 46 && char !== 43 && char !== MINUS) break;
    }
    // Shorter plain numbers are always held exactly.
    if (exponent || at - start > 15) this.#checkNumber(start, at);
    return at;
  }

  #checkNumber(start: number, end: number): void {
    const token = this.#text.slice(start, end);
    const problem = checkNumberText(token);
    if (problem === undefined) return;
    if (this.#onInexactNumber !== undefined) {
      this.#onInexactNumber({ start, end });
      return;
    }
    const shown = token.length > 40 ? `${token.slice(0, 40)}…` : token;
    this.#report(problem.code, `the number ${shown} ${this.#where(start)} ${problem.message}`);
  }

  #report(code: ScanProblemCode, message: string): void {
    this.#problems.push({ code, path: this.#path(), message });
  }

  #path(): string {
    let path = '';
    for (let index = 0; index < this.#depth && path.length < 1024; index += 1) {
      const level = this.#levels[index]!;
      if (level.isObject && level.key === '' && level.count === 0) break; // no key read yet
      path += `/${pointerToken(level.isObject ? level.key.slice(0, 256) : level.index)}`;
    }
    return path;
  }

  #where(offset: number): string {
    let line = 1;
    let lineStart = 0;
    for (let at = this.#text.indexOf('\n'); at !== -1 && at < offset; at = this.#text.indexOf('\n', at + 1)) {
      line += 1;
      lineStart = at + 1;
    }
    return `at line ${line} column ${offset - lineStart + 1}`;
  }
}

function orEnd(index: number): number {
  return index === -1 ? Number.POSITIVE_INFINITY : index;
}

function decode(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted; // not JSON: the parser says so with its own message
  }
}
