import { announce } from './announce.mjs';

/** Exit codes of the flotilla command, see docs/reference. */
export const ExitCode = Object.freeze({ ok: 0, failed: 1, usage: 2, unreachable: 3 });

/** Something the user can put right. Its lines say what and how; it is shown without a stack. */
export class SetupProblem extends Error {
  /**
   * @param {string | string[]} lines what is wrong, then what to do
   * @param {number} [exitCode] default 3: something that is needed cannot be reached
   */
  constructor(lines, exitCode = ExitCode.unreachable) {
    const all = [lines].flat();
    super(all.join('\n'));
    this.name = 'SetupProblem';
    this.lines = all;
    this.exitCode = exitCode;
  }
}

/**
 * Runs a whole command and ends the process with its exit code.
 * @param {() => Promise<number>} command
 */
export async function runAndExit(command) {
  try {
    process.exitCode = await command();
  } catch (error) {
    if (error instanceof SetupProblem) {
      for (const line of error.lines) announce(line);
      process.exitCode = error.exitCode;
    } else {
      announce(`unexpected problem: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = ExitCode.failed;
    }
  }
}
