import { CliProblem } from '../cli-problem.ts';
import { duplicateJsonKeys } from './duplicate-json-keys.ts';

/**
 * Parses JSON and refuses keys that are there twice.
 * @throws CliProblem `MALFORMED_JSON` with the place, `DUPLICATE_KEY` with the lines of both.
 */
export function parseJson(text: string, source: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliProblem('MALFORMED_JSON', `${source} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const problems = duplicateJsonKeys(text);
  if (problems.length > 0)
    throw new CliProblem('DUPLICATE_KEY', `${source} has keys that are there twice`, { problems });
  return value;
}
