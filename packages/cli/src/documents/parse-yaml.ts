import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { CliProblem } from '../cli-problem.ts';
import { findUnquotedExpressions } from './unquoted-expressions.ts';
import { findContentProblems, malformed } from './yaml-problems.ts';

/** Aliases may not multiply a document beyond this many copies ("billion laughs"). */
const MAX_ALIASES = 1000;

/** The parser is recursive, and passes a stack overflow on as if it were a mistake in the text. */
const OVERFLOW = /call stack|stack overflow/i;

/**
 * Reads one YAML 1.2 document as the JSON value that it stands for.
 * @throws CliProblem `MALFORMED_YAML`, `DUPLICATE_KEY` (lines of both), `NUMBER_NOT_EXACT`, `JSON_TOO_DEEP`; all problems of a kind at once.
 */
export function parseYaml(text: string, source: string): unknown {
  try {
    return parse(text, source);
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(source, error);
    throw error;
  }
}

function parse(text: string, source: string): unknown {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const documents = Array.isArray(parsed) ? (parsed as Document.Parsed[]) : [];
  const found = documents.flatMap((document) =>
    [...document.errors, ...document.warnings].map(({ message, pos }) =>
      malformed(message, lines.linePos(pos[0]).line),
    ),
  );
  // What the parser says of them is about braces and colons, and goes on to the end of the text.
  const unquoted = findUnquotedExpressions(text, found);
  const problems = unquoted.length > 0 ? unquoted : found;
  if (problems.some(({ message }) => OVERFLOW.test(message))) throw tooDeep(source);
  const [document] = documents;
  if (documents.length > 1) {
    problems.push(
      malformed('a file holds one workflow, not several documents', lines.linePos(documents[1]!.range[0]).line),
    );
  }
  if (problems.length === 0 && document !== undefined) {
    problems.push(...findContentProblems(document, lines));
    if (problems.length === 0) return toValue(document, source);
  }
  if (problems.length === 0) throw new CliProblem('FILE_EMPTY', `${source} holds no document`);
  const [first] = problems;
  throw new CliProblem(first!.code, `${source} is not a YAML document that can be used`, { problems });
}

function toValue(document: Document.Parsed, source: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    const problems = [malformed((error as Error).message, 1)];
    throw new CliProblem('MALFORMED_YAML', `${source} is not a YAML document that can be used`, {
      problems,
      cause: error,
    });
  }
}

function tooDeep(source: string, cause?: unknown): CliProblem {
  return new CliProblem('JSON_TOO_DEEP', `${source} is nested too deep`, { cause });
}
