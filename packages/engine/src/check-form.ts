import {
  definitionFieldsAt,
  definitionFrameZ,
  definitionZ,
  didYouMean,
  type Json,
  nearestName,
  pointerToken,
} from '@flotilla/contracts';
import { outlineOfFrame, outlineOfStep } from './form-outline.ts';
import type { ProblemCode } from './problem-codes.ts';
import { type ProblemList, pointer, shorten } from './problem-list.ts';

/** What we need of an issue of zod 4; the union of its own types is larger. */
interface FormIssue {
  code: string;
  message: string;
  path: readonly PropertyKey[];
  keys?: readonly string[];
  /** Of an enumeration or a literal: what is allowed. */
  values?: readonly unknown[];
  /** Of a union that goes by a field: its name. */
  discriminator?: string;
  errors?: readonly unknown[];
  note?: string;
}

/** Names are compared for so many problems: a document with more is not the work of somebody's typing. */
const MAX_SUGGESTIONS = 20;

export interface FormCheck {
  ok: boolean;
  /** Ids of steps that have problems of their own: what else is wrong inside them is not looked for. */
  unusableSteps: ReadonlySet<string>;
}

/** Steps that are checked in one piece. */
const STEPS_A_PIECE = 100;

const stepsZ = definitionZ.shape.steps;

/** Checks the form of a definition and reports everything that is wrong with it. */
export function* checkForm(document: { [key: string]: Json }, problems: ProblemList): Generator<void, FormCheck> {
  const unusableSteps = new Set<string>();
  const issues = yield* findIssues(document);
  const fields = fieldsBesideUnknownOnes(issues, document);
  const mistyped = findMistypedFields(fields);
  for (const issue of issues) {
    // The field is there, under a name that is told to be wrong.
    if (mistyped.has(pointer(...issue.path.map(String)))) continue;
    if (issue.path[0] === 'steps' && typeof issue.path[1] === 'string') unusableSteps.add(issue.path[1]);
    reportIssue(issue, document, fields.get(issue) ?? [], problems);
  }
  return { ok: issues.length === 0, unusableSteps };
}

/** Of the definition without its steps, and of the steps, some at a time. */
function* findIssues(document: { [key: string]: Json }): Generator<void, readonly FormIssue[]> {
  const issues = [...((definitionFrameZ.safeParse(outlineOfFrame(document)).error?.issues ?? []) as FormIssue[])];
  const { steps } = document;
  if (typeof steps !== 'object' || steps === null || Array.isArray(steps)) return issues;
  const ids = Object.keys(steps);
  for (let first = 0; first < ids.length; first += STEPS_A_PIECE) {
    yield;
    const some = ids.slice(first, first + STEPS_A_PIECE).map((id) => [id, outlineOfStep(steps[id]!)] as const);
    const found = stepsZ.safeParse(Object.fromEntries(some)).error?.issues ?? [];
    for (const issue of found as FormIssue[]) issues.push({ ...issue, path: ['steps', ...issue.path] });
  }
  return issues;
}

function reportIssue(issue: FormIssue, document: Json, fields: readonly string[], problems: ProblemList): void {
  const tokens = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    for (const [index, key] of (issue.keys ?? []).entries()) {
      const meant = index < MAX_SUGGESTIONS ? didYouMean(key, fields) : '';
      const message = `there is no field ${shorten(key)} here${meant}`;
      problems.error('UNKNOWN_FIELD', pointer(...tokens, key), message);
    }
    return;
  }
  const value = valueAt(document, tokens);
  // No step can have such an id: that there is none is told with more.
  if (typeof value === 'string' && tokens[0] === 'steps' && tokens.at(-2) === 'needs') return;
  const { code, message } = describe(issue, value);
  const near = code === 'MISSING_FIELD' && problems.errors.length < MAX_SUGGESTIONS ? meantFor(tokens, document) : '';
  problems.error(code, pointer(...tokens), `${message}${near}`);
}

/** The fields that an object could have beside those it has, for the first objects with unknown ones. */
function fieldsBesideUnknownOnes(issues: readonly FormIssue[], document: Json): ReadonlyMap<FormIssue, string[]> {
  const unknown = issues.filter(({ code }) => code === 'unrecognized_keys').slice(0, MAX_SUGGESTIONS);
  return new Map(unknown.map((issue) => [issue, unusedFieldsAt(document, issue.path.map(String))]));
}

/** Pointers of fields that an unknown field beside them was most likely meant for. */
function findMistypedFields(fields: ReadonlyMap<FormIssue, string[]>): ReadonlySet<string> {
  const meant = Array.from(fields, ([{ path, keys = [] }, names]) =>
    keys
      .slice(0, MAX_SUGGESTIONS)
      .flatMap((key) => nearestName(key, names) ?? [])
      .map((field) => pointer(...path.map(String), field)),
  );
  return new Set(meant.flat());
}

/** A field that is there and was most likely meant for the one that is missing. */
function meantFor(tokens: readonly string[], document: Json): string {
  const names = Object.keys(valueAt(document, tokens.slice(0, -1)) ?? {}).slice(0, MAX_SUGGESTIONS);
  const near = nearestName(tokens.at(-1) ?? '', names);
  return near === undefined ? '' : ` (is ${shorten(near)} meant for it?)`;
}

function unusedFieldsAt(document: Json, tokens: readonly string[]): string[] {
  const value = valueAt(document, tokens);
  return definitionFieldsAt(document, tokens).filter((field) => !Object.hasOwn(Object(value), field));
}

/** `taks is not one of task, agent (did you mean task?)`. */
function notOneOf(value: Json, allowed: readonly unknown[]): string {
  const names = allowed.map(String);
  const written = typeof value === 'string' ? value : JSON.stringify(value);
  return `${shorten(written)} is not one of ${names.join(', ')}${didYouMean(written, names)}`;
}

/** What an enumeration, a literal or the field that a union goes by may be. */
function allowedValues({ code, values, discriminator, message }: FormIssue): readonly unknown[] {
  if (code === 'invalid_value') return values ?? [];
  if (code !== 'invalid_union' || discriminator === undefined) return [];
  return Array.from(message.matchAll(/'([^']+)'/g), ([, name]) => name);
}

function describe(issue: FormIssue, value: Json | undefined): { code: ProblemCode; message: string } {
  if (issue.code === 'invalid_key') {
    return {
      code: 'ILLEGAL_ID',
      message: 'a step id is 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit',
    };
  }
  if (value === undefined) return { code: 'MISSING_FIELD', message: `${expectation(issue)}, but the field is missing` };
  if (issue.code === 'invalid_type')
    return { code: 'WRONG_TYPE', message: `${expectation(issue)}, not ${kindOf(value)}` };
  const allowed = allowedValues(issue);
  if (allowed.length > 1) return { code: 'ILLEGAL_VALUE', message: notOneOf(value, allowed) };
  if (issue.code === 'custom') {
    return typeof value === 'string'
      ? { code: 'ILLEGAL_ID', message: issue.message }
      : { code: 'WRONG_TYPE', message: issue.message };
  }
  return { code: 'ILLEGAL_VALUE', message: shorten(sentence(issue.message), 400) };
}

/** `Invalid input: expected string, received null` -> `expected string`. */
function expectation(issue: FormIssue): string {
  return /expected [^,]*/i.exec(issue.message)?.[0].toLowerCase().replace('record', 'object') ?? 'a value is expected';
}

function sentence(message: string): string {
  const plain = message.replace(/^Invalid input: /, '');
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function valueAt(document: Json, tokens: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as { [key: string]: Json })[token];
  }
  return value;
}

/** The pointer of a step of a definition. */
export function stepPointer(stepId: string): string {
  return `/steps/${pointerToken(shorten(stepId))}`;
}
