import { FlotillaError, type Json, runToEnd } from '@flotilla/contracts';
import { compileExpression, type ExpressionNames } from './evaluate-expression.ts';
import { EvaluationBudget } from './evaluation-budget.ts';
import type { Expression, Scope, Template } from './plan.ts';
import type { ProblemCode } from './problem-codes.ts';
import { pointer } from './problem-list.ts';

/** What is wrong inside a template: `path` points from the template's root. */
interface TemplateProblem {
  code: ProblemCode;
  path: string;
  message: string;
}

export type TemplateCompilation =
  | { ok: true; template: Template }
  | { ok: false; problems: readonly TemplateProblem[] };

export interface TemplateNames extends ExpressionNames {
  /** `${{ secrets.NAME }}` may be inside: of the request of an http step. */
  secrets?: boolean;
}

/** Compiles an expression; the compiler passes one that remembers sources it has seen. */
export type CompileSource = typeof compileExpression;

/** Characters that the texts of one resolved template may have together; large values belong in a whole `${{ }}`. */
const MAX_INTERPOLATED_CHARACTERS = 4_194_304;

/** Lists and records that are looked at in one piece. */
const CONTAINERS_A_PIECE = 2000;
/** Expressions in one input, request or output. */
const MAX_TEMPLATE_EXPRESSIONS = 10_000;

/** Of `${{ secrets.NAME }}`: the names of environment variables without their prefix. */
const SECRET_FORM = /^secrets\.([A-Z][A-Z0-9_]{0,99})$/;

type Part = string | Pick<Expression, 'evaluate'>;
/** A compiled piece: a value that needs no resolving, or what resolves it. */
type Piece = { constant: Json } | { resolve(scope: Scope, budget: TemplateBudget): Json };

/** What all of a template shares. */
class TemplateBudget extends EvaluationBudget {
  charactersLeft = MAX_INTERPOLATED_CHARACTERS;
}

/**
 * Compiles JSON with `${{ cel }}` in its texts. A text that is one expression keeps the type of its value; inside a
 * longer text values are written out, texts as they are and everything else as JSON. Keys are never templates.
 * `resolve` gives a new value each time: who gets it may change it.
 */
export function compileTemplate(value: Json, names: TemplateNames): TemplateCompilation {
  return runToEnd(compileTemplateInPieces(value, names, compileExpression));
}

/** The same with pauses between its expressions. */
export function* compileTemplateInPieces(
  value: Json,
  names: TemplateNames,
  compileSource: CompileSource,
): Generator<void, TemplateCompilation> {
  if (!mayHaveExpressions(value)) {
    return {
      ok: true,
      template: {
        ...{ constant: true, expressions: [], reads: [], readsRunInput: false, readsSecrets: false },
        resolve: () => copyOf(value),
      },
    };
  }
  const compiler = new TemplateCompiler(names, compileSource);
  const piece = yield* compiler.compile(value, []);
  if (compiler.expressions.length > MAX_TEMPLATE_EXPRESSIONS) {
    const message = `${compiler.expressions.length} expressions; ${MAX_TEMPLATE_EXPRESSIONS} may be in one place`;
    compiler.problems.push({ code: 'EXPRESSION_TOO_COMPLEX', path: '', message });
  }
  if (compiler.problems.length > 0) return { ok: false, problems: compiler.problems };
  return {
    ok: true,
    template: {
      constant: false,
      expressions: compiler.expressions,
      reads: [...compiler.reads].sort((left, right) => left - right),
      readsRunInput: compiler.readsRunInput,
      readsSecrets: compiler.readsSecrets,
      resolve: (scope) => resolvePiece(piece, scope, new TemplateBudget()),
    },
  };
}

class TemplateCompiler {
  readonly problems: TemplateProblem[] = [];
  readonly expressions: Expression[] = [];
  readonly reads = new Set<number>();
  readsRunInput = false;
  readsSecrets = false;
  readonly #names: TemplateNames;
  #containers = 0;
  readonly #compileSource: CompileSource;

  constructor(names: TemplateNames, compileSource: CompileSource) {
    this.#names = names;
    this.#compileSource = compileSource;
  }

  /** Nesting is bounded by the check of the document (64 levels). */
  *compile(value: Json, tokens: readonly (string | number)[]): Generator<void, Piece> {
    if (typeof value === 'string') {
      if (!value.includes('${{')) return { constant: value };
      yield;
      return this.#compileText(value, tokens);
    }
    if (typeof value !== 'object' || value === null) return { constant: value };
    this.#containers += 1;
    if (this.#containers % CONTAINERS_A_PIECE === 0) yield;
    if (Array.isArray(value)) {
      const items: Piece[] = [];
      for (const [index, item] of value.entries()) items.push(yield* this.compile(item, [...tokens, index]));
      if (items.every((item) => 'constant' in item)) return { constant: value };
      return { resolve: (scope, budget) => items.map((item) => resolvePiece(item, scope, budget)) };
    }
    const entries: (readonly [string, Piece])[] = [];
    for (const [key, item] of Object.entries(value)) entries.push([key, yield* this.compile(item, [...tokens, key])]);
    if (entries.every(([, item]) => 'constant' in item)) return { constant: value };
    return {
      resolve: (scope, budget) => {
        const record: { [key: string]: Json } = {};
        for (const [key, item] of entries) record[key] = resolvePiece(item, scope, budget);
        return record;
      },
    };
  }

  #compileText(text: string, tokens: readonly (string | number)[]): Piece {
    const split = splitText(text);
    if (!split.ok) {
      this.#problem('TEMPLATE_INVALID', tokens, `the \${{ at character ${split.position} does not end with }}`);
      return { constant: text };
    }
    const parts: Part[] = [];
    for (const { literal, source, position } of split.pieces) {
      if (literal !== undefined) {
        parts.push(literal);
        continue;
      }
      const secret = this.#secretOf(source);
      if (secret !== undefined) {
        parts.push(secret);
        continue;
      }
      const compiled = this.#compileSource(source, this.#names);
      if (compiled.ok) {
        for (const step of compiled.expression.reads) this.reads.add(step);
        this.readsRunInput ||= compiled.expression.readsRunInput;
        parts.push(compiled.expression);
        this.expressions.push(compiled.expression);
        continue;
      }
      for (const problem of compiled.problems) {
        const at = position + (problem.position ?? 0);
        this.#problem(problem.code, tokens, `in \${{ }} at character ${at}: ${problem.message}`);
      }
    }
    const [only] = parts;
    if (parts.length === 1 && typeof only === 'object')
      return { resolve: (scope, budget) => only.evaluate(scope, budget) };
    return { resolve: (scope, budget) => interpolate(parts, scope, budget) };
  }

  #secretOf(source: string): Part | undefined {
    const name = SECRET_FORM.exec(source)?.[1];
    if (name === undefined || this.#names.secrets !== true || this.#names.itemName === 'secrets') return undefined;
    this.readsSecrets = true;
    return { evaluate: ({ secret }) => (secret === undefined ? `\${{ secrets.${name} }}` : secret(name)) };
  }

  #problem(code: ProblemCode, tokens: readonly (string | number)[], message: string): void {
    this.problems.push({ code, path: pointer(...tokens), message });
  }
}

function mayHaveExpressions(value: Json): boolean {
  if (typeof value === 'string') return value.includes('${{');
  if (typeof value !== 'object' || value === null) return false;
  for (const part of Array.isArray(value) ? value : Object.values(value)) if (mayHaveExpressions(part)) return true;
  return false;
}

function resolvePiece(piece: Piece, scope: Scope, budget: TemplateBudget): Json {
  return 'constant' in piece ? copyOf(piece.constant) : piece.resolve(scope, budget);
}

function interpolate(parts: readonly Part[], scope: Scope, budget: TemplateBudget): string {
  let text = '';
  for (const part of parts) {
    const value = typeof part === 'string' ? part : part.evaluate(scope, budget);
    const written = typeof value === 'string' ? value : JSON.stringify(value);
    budget.charactersLeft -= written.length;
    if (budget.charactersLeft < 0) {
      const message = `the texts of a template become longer than ${MAX_INTERPOLATED_CHARACTERS} characters`;
      throw new FlotillaError('EXPRESSION_FAILED', message);
    }
    text += written;
  }
  return text;
}

function copyOf(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  const copy: { [key: string]: Json } = {};
  for (const [key, part] of Object.entries(value)) copy[key] = copyOf(part);
  return copy;
}

type TextPiece =
  | { literal: string; source?: never; position?: never }
  /** `position`: where the source begins in the text, after white space. */
  | { literal?: never; source: string; position: number };

type TextSplit = { ok: true; pieces: readonly TextPiece[] } | { ok: false; position: number };

function splitText(text: string): TextSplit {
  const pieces: TextPiece[] = [];
  let from = 0;
  while (from < text.length) {
    const open = text.indexOf('${{', from);
    if (open === -1) break;
    if (open > from) pieces.push({ literal: text.slice(from, open) });
    const close = findClose(text, open + 3);
    if (close === undefined) return { ok: false, position: open };
    const inside = text.slice(open + 3, close);
    const indent = inside.length - inside.trimStart().length;
    pieces.push({ source: inside.trim(), position: open + 3 + indent });
    from = close + 2;
  }
  if (from < text.length) pieces.push({ literal: text.slice(from) });
  return { ok: true, pieces };
}

/** Where the `}}` of an expression is: not inside its quotes, and not what closes its own braces. */
function findClose(text: string, start: number): number | undefined {
  let depth = 0;
  let index = start;
  while (index < text.length) {
    const character = text[index];
    if (character === '"' || character === "'") {
      const end = findQuoteEnd(text, index, character);
      if (end === undefined) return undefined;
      index = end;
      continue;
    }
    if (character === '{') depth += 1;
    else if (character === '}') {
      if (depth === 0 && text[index + 1] === '}') return index;
      depth = Math.max(0, depth - 1);
    }
    index += 1;
  }
  return undefined;
}

/** The index after the quoted text that begins at `open`; knows CEL's triple quotes, escapes and raw strings. */
function findQuoteEnd(text: string, open: number, quote: string): number | undefined {
  const triple = text.startsWith(quote.repeat(3), open);
  const closing = triple ? quote.repeat(3) : quote;
  let index = open + closing.length;
  while (index < text.length) {
    if (text[index] === '\\') index += 2;
    else if (text.startsWith(closing, index)) return index + closing.length;
    else index += 1;
  }
  return undefined;
}
