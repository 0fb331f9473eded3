import { type Problem, pointerToken } from '@flotilla/contracts';
import { type Document, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type YAMLMap } from 'yaml';
import { CliProblem } from '../cli-problem.ts';
import { duplicateKey } from './duplicate-json-keys.ts';

/** Aliases may not multiply a document beyond this many copies ("billion laughs"). */
const MAX_ALIASES = 1000;

/** The parser is recursive, and passes a stack overflow on as if it were a mistake in the text. */
const OVERFLOW = /call stack|stack overflow/i;

/**
 * Reads one YAML 1.2 document as the JSON value that it stands for.
 * @throws CliProblem `MALFORMED_YAML`, `DUPLICATE_KEY` (lines of both), `JSON_TOO_DEEP`; all problems of a kind at once.
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
  const problems = documents.flatMap((document) =>
    [...document.errors, ...document.warnings].map(({ message, pos }) =>
      malformed(message, lines.linePos(pos[0]).line),
    ),
  );
  if (problems.some(({ message }) => OVERFLOW.test(message))) throw tooDeep(source);
  const [document] = documents;
  if (documents.length > 1) {
    problems.push(
      malformed('a file holds one workflow, not several documents', lines.linePos(documents[1]!.range[0]).line),
    );
  }
  if (problems.length === 0 && document !== undefined) {
    problems.push(...duplicateKeys(document, lines));
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

function duplicateKeys(document: Document.Parsed, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  const waiting: { node: unknown; path: string }[] = [{ node: document.contents, path: '' }];
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    const { node, path } = visit;
    if (isSeq(node)) waiting.push(...node.items.map((item, index) => ({ node: item, path: `${path}/${index}` })));
    if (isMap(node)) waiting.push(...keysOf(node, path, lines, problems));
  }
  return problems;
}

/** The values of a map with their paths, and what is wrong with its keys. */
function keysOf(map: YAMLMap, path: string, lines: LineCounter, problems: Problem[]) {
  const firstLines = new Map<string, number>();
  const values: { node: unknown; path: string }[] = [];
  for (const { key, value } of map.items) {
    const line = lineOf(key, lines);
    if (!isScalar(key)) {
      problems.push(malformed('a key must be plain text', line));
      continue;
    }
    const name = String(key.value);
    const at = `${path}/${pointerToken(name)}`;
    const first = firstLines.get(name);
    if (first === undefined) firstLines.set(name, line);
    else problems.push(duplicateKey(at, name, first, line));
    values.push({ node: value, path: at });
  }
  return values;
}

function lineOf(node: unknown, lines: LineCounter): number {
  const { range } = (node ?? {}) as { range?: readonly number[] | null };
  return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
}

function malformed(message: string, line: number): Problem {
  return { code: 'MALFORMED_YAML', path: '', message: `line ${line}: ${message}` };
}

function tooDeep(source: string, cause?: unknown): CliProblem {
  return new CliProblem('JSON_TOO_DEEP', `${source} is nested too deep`, { cause });
}
