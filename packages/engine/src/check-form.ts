import { definitionZ, type Json, pointerToken } from '@flotilla/contracts';
import type { ProblemCode } from './problem-codes.ts';
import { type ProblemList, pointer, shorten } from './problem-list.ts';

/** What we need of an issue of zod 4; the union of its own types is larger. */
interface FormIssue {
  code: string;
  message: string;
  path: readonly PropertyKey[];
  keys?: readonly string[];
}

export interface FormCheck {
  ok: boolean;
  /** Ids of steps that have problems of their own: what else is wrong inside them is not looked for. */
  unusableSteps: ReadonlySet<string>;
}

/** Checks the form of a definition and reports everything that is wrong with it. */
export function checkForm(document: { [key: string]: Json }, problems: ProblemList): FormCheck {
  const parsed = definitionZ.safeParse(document);
  const unusableSteps = new Set<string>();
  if (parsed.success) return { ok: true, unusableSteps };
  for (const issue of parsed.error.issues) {
    if (issue.path[0] === 'steps' && typeof issue.path[1] === 'string') unusableSteps.add(issue.path[1]);
    reportIssue(issue as FormIssue, document, problems);
  }
  return { ok: false, unusableSteps };
}

function reportIssue(issue: FormIssue, document: Json, problems: ProblemList): void {
  const tokens = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys ?? []) {
      problems.error('UNKNOWN_FIELD', pointer(...tokens, key), `there is no field ${shorten(key)} here`);
    }
    return;
  }
  const { code, message } = describe(issue, valueAt(document, tokens));
  problems.error(code, pointer(...tokens), message);
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
