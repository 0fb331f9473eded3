import { createClient, type FlotillaClient } from '@flotilla/client';
import { CliProblem } from './cli-problem.ts';
import type { Terminal } from './terminal.ts';

/** Where commands look for a scheduler that nothing names. */
export const DEFAULT_URL = 'http://127.0.0.1:7070';

/** Where the scheduler is: the option, the environment, or the default. */
export function schedulerUrl(terminal: Terminal, url?: string): string {
  return url ?? terminal.env['FLOTILLA_URL'] ?? DEFAULT_URL;
}

/**
 * A client for the scheduler that the options or the environment name. Nothing is sent yet.
 * @throws CliProblem `USAGE` when the URL is none.
 */
export function connectScheduler(terminal: Terminal, options: { url?: string; apiKey?: string }): FlotillaClient {
  const url = schedulerUrl(terminal, options.url);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new CliProblem('USAGE', `the scheduler's URL ${JSON.stringify(url)} is not an http or https URL`);
  }
  const apiKey = options.apiKey ?? terminal.env['FLOTILLA_API_KEY'];
  return createClient({ url, ...(apiKey === undefined || apiKey === '' ? {} : { apiKey }) });
}
