import { extname, resolve } from 'node:path';
import type { Problem } from '@flotilla/contracts';
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { MODULE_EXTENSIONS } from './load-workflow.ts';
import { readTextFile } from './read-text-file.ts';

/** The problems of a workflow with the line of its file, where the file is text. */
export async function withLines(problems: readonly Problem[], file: string, cwd: string): Promise<Problem[]> {
  if (problems.length === 0 || MODULE_EXTENSIONS.has(extname(file).toLowerCase())) return [...problems];
  const lines = new LineCounter();
  // JSON is YAML, too. It was read before: what is wrong with the text has been said.
  const document = parseDocument(await readTextFile(resolve(cwd, file)), { lineCounter: lines, uniqueKeys: false });
  return problems.map((problem) => {
    const offset = offsetOf(document, problem.path);
    return offset === undefined ? problem : { ...problem, line: lines.linePos(offset).line };
  });
}

/** Where the value of a pointer begins, its key if it has one; of a value that is not there, where its parent begins. */
function offsetOf(document: Document.Parsed, path: string): number | undefined {
  const tokens = path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  let node: unknown = document.contents;
  let offset = beginOf(node);
  for (const token of tokens) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === token);
      if (pair === undefined) return offset;
      offset = beginOf(pair.key);
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(token)];
      offset = beginOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function beginOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null)?.range?.[0];
}
