import { type Problem, pointerToken } from '@flotilla/contracts';
import type { ProblemCode } from './problem-codes.ts';

/** So many problems are told; whoever has more fixes these first. */
const MAX_PROBLEMS = 1000;
/** Names from a document are shown up to this length: a step id of 1 MB must not make a 1 MB answer. */
const MAX_SHOWN_CHARACTERS = 160;

/** A JSON pointer (RFC 6901) from its reference tokens; long tokens are cut. */
export function pointer(...tokens: readonly (string | number)[]): string {
  let path = '';
  for (const token of tokens) path += `/${pointerToken(shorten(String(token)))}`;
  return path;
}

/** Text from a document as it may stand in a message. */
export function shorten(text: string, maxCharacters = MAX_SHOWN_CHARACTERS): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters).toWellFormed()}…`;
}

/** Collects what is wrong with a document, in the order in which it is found. */
export class ProblemList {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #translatePath: (path: string) => string;
  #dropped = 0;

  /** `translatePath` turns a pointer into the compiled definition into one into the document that was given. */
  constructor(translatePath: (path: string) => string = (path) => path) {
    this.#translatePath = translatePath;
  }

  error(code: ProblemCode, path: string, message: string): void {
    if (this.errors.length < MAX_PROBLEMS) this.errors.push({ code, path: this.#translatePath(path), message });
    else this.#dropped += 1;
  }

  warning(code: ProblemCode, path: string, message: string): void {
    if (this.warnings.length >= MAX_PROBLEMS) return;
    this.warnings.push({ code, path: this.#translatePath(path), message, severity: 'warning' });
  }

  /** Errors, then warnings: what a refused document is answered with. */
  all(): Problem[] {
    const more: Problem[] =
      this.#dropped === 0
        ? []
        : [{ code: 'TOO_MANY_PROBLEMS', path: '', message: `${this.#dropped} more problems are not listed` }];
    return [...this.errors, ...more, ...this.warnings];
  }
}
