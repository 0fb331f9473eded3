import { resolve } from 'node:path';
import { findJsonProblem, type Json } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';
import { parseJson } from './parse-json.ts';
import { readTextFile } from './read-text-file.ts';

/**
 * The value of an option that is JSON or `@file`.
 * @throws CliProblem when it is neither, or is beyond the limits of an input.
 */
export async function readInput(text: string, cwd: string): Promise<Json> {
  const source = text.startsWith('@') ? text.slice(1) : '--input';
  const json = text.startsWith('@') ? await readTextFile(resolve(cwd, source)) : text;
  const value = parseJson(json, source);
  const problem = findJsonProblem(value);
  if (problem !== undefined) throw new CliProblem(problem.code, `${source} cannot be used`, { problems: [problem] });
  return value as Json;
}
