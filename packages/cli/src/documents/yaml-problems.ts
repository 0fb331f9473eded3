import { checkNumberText, type Problem, pointerToken } from '@flotilla/contracts';
import { type Document, isMap, isScalar, isSeq, type LineCounter, type Scalar, type YAMLMap } from 'yaml';

interface Visit {
  node: unknown;
  path: string;
}

/** What is wrong with the content of a document that YAML could read, and that becoming a JSON value would hide. */
export function findContentProblems(document: Document.Parsed, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  const waiting: Visit[] = [{ node: document.contents, path: '' }];
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    const { node, path } = visit;
    if (isSeq(node)) waiting.push(...node.items.map((item, index) => ({ node: item, path: `${path}/${index}` })));
    if (isMap(node)) waiting.push(...checkKeys(node, path, lines, problems));
    if (isScalar(node)) problems.push(...checkScalar(node, path, lineOf(node, lines)));
  }
  return problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
}

/** A problem of the text itself. */
export function malformed(message: string, line: number): Problem {
  return { code: 'MALFORMED_YAML', path: '', message, line };
}

/** The values of a map with their paths, and what is wrong with its keys. */
function checkKeys(map: YAMLMap, path: string, lines: LineCounter, problems: Problem[]): Visit[] {
  const firstLines = new Map<string, number>();
  const values: Visit[] = [];
  for (const { key, value } of map.items) {
    const line = lineOf(key, lines);
    if (!isScalar(key)) {
      problems.push(malformed('a key must be plain text', line));
      continue;
    }
    // As it is written: as a number, a long one would be another.
    const name = typeof key.value === 'number' ? (key.source ?? String(key.value)) : String(key.value);
    const at = `${path}/${pointerToken(name)}`;
    if (name === '<<' && key.type === 'PLAIN') {
      problems.push({ ...malformed(MERGE_KEY, line), path: at });
      continue;
    }
    const first = firstLines.get(name);
    if (first === undefined) firstLines.set(name, line);
    else problems.push(duplicateKey(at, name, first, line));
    if (isScalar(key)) problems.push(...checkScalar(key, at, line));
    values.push({ node: value, path: at });
  }
  return values;
}

const MERGE_KEY =
  'merge keys (<<) are not part of YAML 1.2, so that they would be a field of that name: write the fields out, or give the whole value as an alias';

function checkScalar({ value, source, type }: Scalar, path: string, line: number): Problem[] {
  if (type === 'PLAIN' && typeof value === 'string' && isCutOff(value)) {
    return [{ ...malformed('the expression ends at " #", which begins a comment: quote it', line), path }];
  }
  if (typeof value !== 'number' || source === undefined) return [];
  if (!Number.isFinite(value) && /inf|nan/i.test(source)) {
    return [{ code: 'NOT_JSON', path, message: `${source} is not a number of JSON`, line }];
  }
  const problem = checkNumberText(source);
  if (problem === undefined) return [];
  return [{ code: problem.code, path, message: `the number ${source.slice(0, 40)} ${problem.message}`, line }];
}

/** The last expression of a text has no end. */
function isCutOff(value: string): boolean {
  const begin = value.lastIndexOf('${{');
  return begin !== -1 && !value.includes('}}', begin);
}

/** The problem of one key that is there twice, with both places. */
function duplicateKey(path: string, key: string, firstLine: number, secondLine: number): Problem {
  const shown = JSON.stringify(key.slice(0, 100));
  const message = `the key ${shown} is there twice: in line ${firstLine} and in line ${secondLine}`;
  return { code: 'DUPLICATE_KEY', path, message, line: secondLine };
}

function lineOf(node: unknown, lines: LineCounter): number {
  const { range } = (node ?? {}) as { range?: readonly number[] | null };
  return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
}
