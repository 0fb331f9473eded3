import { ERROR_CODES, isFlotillaError, type Problem } from '@flotilla/contracts';
import { CommanderError } from 'commander';
import { CliProblem } from './cli-problem.ts';
import { COMMAND } from './command-name.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { plainText } from './plain-text.ts';
import { printJson } from './print-table.ts';
import { Interrupted, type Terminal } from './terminal.ts';

/** Signals end a program with 128 plus their number. */
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** Codes of the server side that mean: nothing is wrong with the request, the other end is not there. */
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  'SCHEDULER_UNREACHABLE',
  'REDIS_UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'OVERLOADED',
  'STORAGE_FULL',
  'DURABILITY_UNAVAILABLE',
  'REDIS_URL_INVALID',
  'DATA_LOSS',
]);
const LONGEST_LIST = 50;

interface Told {
  code: string;
  message: string;
  /** What people read instead of the message, where the list of problems follows. */
  heading?: string;
  hint?: string;
  problems: readonly Problem[];
  exitCode: number;
}

/**
 * Tells a person, or with `--json` a program, what went wrong, and says what to exit with. A stack is shown with
 * `--debug` only.
 */
export function reportError(
  error: unknown,
  terminal: Terminal,
  { json, debug }: { json: boolean; debug: boolean },
): number {
  // Commander has printed its own message; help and version are no errors.
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    if (json) printJson(terminal, { error: { code: 'USAGE', message: error.message.replace(/^error: /, '') } });
    return EXIT.usage;
  }
  const told = describe(error);
  if (json) {
    const { code, message, hint, problems } = told;
    printJson(terminal, {
      error: { code, message, ...(hint === undefined ? {} : { hint }), ...(problems.length === 0 ? {} : { problems }) },
    });
  }
  terminal.writeError(`flotilla: ${plainText(told.heading ?? told.message)}\n`);
  for (const line of problemLines(told.problems)) terminal.writeError(`  ${line}\n`);
  if (told.hint !== undefined) terminal.writeError(`  ${plainText(told.hint)}\n`);
  if (debug && error instanceof Error) terminal.writeError(`${error.stack ?? error.message}\n`);
  return told.exitCode;
}

/** One line a problem: line of the file, where, what. A long list is cut. */
export function problemLines(problems: readonly Problem[]): string[] {
  const lines = problems.slice(0, LONGEST_LIST).map(({ path, message, severity, line }) => {
    const kind = severity === 'warning' ? 'warning: ' : '';
    const where = line === undefined ? '' : `line ${line}: `;
    return `${kind}${where}${path === '' ? '' : `${plainText(path)}: `}${plainText(message)}`;
  });
  if (problems.length > LONGEST_LIST) lines.push(`… and ${problems.length - LONGEST_LIST} more`);
  return lines;
}

function describe(error: unknown): Told {
  if (error instanceof CliProblem) {
    const { code, message, hint, problems, exitCode } = error;
    return { code, message, problems, exitCode, ...(hint === undefined ? {} : { hint }) };
  }
  if (isFlotillaError(error)) {
    const { code, message, problems } = error;
    const hint = hintFor(code, error.ambiguous);
    const told = { code, message, problems, exitCode: exitCodeOf(code), ...(hint === undefined ? {} : { hint }) };
    return { ...told, heading: headingOf(code, message, problems) };
  }
  if (error instanceof Interrupted) {
    return { code: 'INTERRUPTED', message: error.message, problems: [], exitCode: SIGNAL_EXITS[error.signalName] };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : `unexpected: ${String(error)}`;
  return { code: 'INTERNAL', message, problems: [], exitCode: EXIT.failed, hint: '--debug shows where it came from' };
}

/** A server's message is its first problem: with the problems listed below, it would be said twice. */
function headingOf(code: keyof typeof ERROR_CODES, message: string, [first]: readonly Problem[]): string {
  if (first === undefined || !message.includes(first.message)) return message;
  const { title } = ERROR_CODES[code];
  return `${title.charAt(0).toLowerCase()}${title.slice(1)}`;
}

function exitCodeOf(code: keyof typeof ERROR_CODES): ExitCode {
  if (UNREACHABLE_CODES.has(code)) return EXIT.unreachable;
  const { status } = ERROR_CODES[code];
  return status >= 400 && status < 500 ? EXIT.usage : EXIT.failed;
}

function hintFor(code: string, ambiguous: boolean): string | undefined {
  if (ambiguous) return 'it may or may not have taken effect; the same command with the same --idempotency-key is safe';
  if (code === 'SCHEDULER_UNREACHABLE')
    return `start one with: ${COMMAND} up   (or name one with --url or FLOTILLA_URL)`;
  if (code === 'UNAUTHORIZED') return 'give a key with --api-key or FLOTILLA_API_KEY';
  if (code === 'RUN_NOT_FOUND') return `${COMMAND} ps lists the runs`;
  if (code === 'NOTHING_TO_RETRY') return `a run of its own makes it again: ${COMMAND} run`;
  return undefined;
}
