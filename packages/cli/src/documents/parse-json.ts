import { JsonTextError, parseJsonText } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';

/**
 * Parses JSON by the rule of all entrances (see `parseJsonText`): no key twice, no number that would be changed.
 * @throws CliProblem `MALFORMED_JSON` with the place, else all problems with their lines and columns.
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    const { code, problems, cause } = error;
    if (code === 'MALFORMED_JSON') {
      throw new CliProblem(code, `${source} is not JSON: ${(cause as Error).message}`, { cause });
    }
    const [first] = problems;
    throw new CliProblem(first?.code ?? code, `${source} cannot be used`, { problems });
  }
}
