import { type Problem, pointerToken } from '@flotilla/contracts';

interface Container {
  path: string;
  /** Keys of an object with the line of each; undefined in an array. */
  keys: Map<string, number> | undefined;
  /** Token of the value that comes next: the last key, or the index. */
  at: string | number;
}

/**
 * Finds the keys that an object of a JSON text has twice. `JSON.parse` would silently keep the last one. Takes text that
 * `JSON.parse` has accepted; iterative, one pass.
 */
export function duplicateJsonKeys(text: string): Problem[] {
  const problems: Problem[] = [];
  const open: Container[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],\n]/g;
  let line = 1;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [found] = match;
    const inside = open.at(-1);
    if (found === '\n') line += 1;
    else if (found === '{' || found === '[') {
      const path = inside === undefined ? '' : `${inside.path}/${pointerToken(inside.at)}`;
      open.push({ path, keys: found === '{' ? new Map() : undefined, at: 0 });
    } else if (found === '}' || found === ']') open.pop();
    else if (found === ',') {
      if (inside !== undefined && typeof inside.at === 'number') inside.at += 1;
    } else if (inside?.keys !== undefined && isKey(text, token.lastIndex)) {
      const key = JSON.parse(found) as string;
      const known = inside.keys.get(key);
      if (known === undefined) inside.keys.set(key, line);
      else problems.push(duplicateKey(`${inside.path}/${pointerToken(key)}`, key, known, line));
      inside.at = key;
    }
  }
  return problems;
}

/** The problem of one key that is there twice, with both places. */
export function duplicateKey(path: string, key: string, firstLine: number, secondLine: number): Problem {
  const shown = JSON.stringify(key.slice(0, 100));
  const message = `the key ${shown} is there twice: in line ${firstLine} and in line ${secondLine}`;
  return { code: 'DUPLICATE_KEY', path, message };
}

/** In JSON a text is a key when a colon follows it. */
function isKey(text: string, from: number): boolean {
  let index = from;
  while (index < text.length && ' \t\r\n'.includes(text[index]!)) index += 1;
  return text[index] === ':';
}
