import type { FlotillaClient } from '@flotilla/client';
import { isFlotillaError, nearestName } from '@flotilla/contracts';
import { CliProblem } from './cli-problem.ts';
import { COMMAND } from './command-name.ts';

/** What other tools call the commands; what is only mistyped is found without this. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  deploy: 'register',
  add: 'register',
  apply: 'register',
  create: 'run',
  start: 'run',
  submit: 'run',
  exec: 'run',
  trigger: 'run',
  list: 'ps',
  ls: 'ps',
  runs: 'ps',
  status: 'show',
  get: 'show',
  describe: 'show',
  inspect: 'show',
  steps: 'show',
  log: 'logs',
  events: 'history',
  stop: 'cancel',
  kill: 'cancel',
  abort: 'cancel',
  redrive: 'dead-letters redrive',
  discard: 'dead-letters discard',
  dlq: 'dead-letters',
  deadletters: 'dead-letters',
  dead: 'dead-letters',
  workers: 'agents',
  serve: 'up',
  dev: 'up',
  server: 'up',
  check: 'validate',
  lint: 'validate',
  health: 'doctor',
  benchmark: 'bench',
};

/** The command that somebody means who says `word`; undefined when nothing is known under that name. */
export function commandMeant(word: string): string | undefined {
  return Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : undefined;
}

const MOST_LISTED = 10;

/**
 * WORKFLOW_NOT_FOUND as something to act on: the name that was meant, or those that there are, or how to register one.
 * Every other error as it is.
 */
export async function explainUnknownWorkflow(error: unknown, name: string, client: FlotillaClient): Promise<unknown> {
  if (!isFlotillaError(error) || error.code !== 'WORKFLOW_NOT_FOUND') return error;
  const names = await registeredNames(client);
  const nearest = nearestName(name, names);
  return new CliProblem(error.code, error.message, {
    hint: hintOf(names, nearest),
    problems: error.problems,
    cause: error,
  });
}

function hintOf(names: readonly string[], nearest: string | undefined): string {
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  const how = `register one with: ${COMMAND} register FILE   (or run a file: ${COMMAND} run FILE)`;
  if (names.length === 0) return how;
  const more = names.length > MOST_LISTED ? ` and ${names.length - MOST_LISTED} more` : '';
  return `there are ${names.slice(0, MOST_LISTED).join(', ')}${more}; ${how}`;
}

/** Empty when they cannot be listed: the error that is explained matters more. */
async function registeredNames(client: FlotillaClient): Promise<string[]> {
  try {
    const { workflows } = await client.workflows({ limit: 500, deadlineMs: 3000 });
    return [...new Set(workflows.map(({ name }) => name))];
  } catch (error) {
    if (isFlotillaError(error)) return [];
    throw error;
  }
}
