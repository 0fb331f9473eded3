import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

const sources = readdirSync(new URL('.', import.meta.url)).filter((name) => /(?<!\.test)\.ts$/.test(name));

const FORBIDDEN = [
  /\bDate\s*[.(]/,
  /\bnew Date\b/,
  /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /\bprocess\s*\./,
  /\bfetch\s*\(/,
  /\bMath\.random\b/,
  /\bperformance\s*\./,
  /\brandom(?:UUID|Bytes|Int)\b/,
  /\bconsole\s*\./,
  /from 'node:(?!crypto')/,
  /\bnew RegExp\b/,
  /\beval\s*\(/,
];

describe('the engine has no I/O, no clock and no randomness', () => {
  test.each(sources)('%s', (name) => {
    const code = readFileSync(new URL(name, import.meta.url), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    for (const pattern of FORBIDDEN) expect(code).not.toMatch(pattern);
  });
});
