import { warnOfUnknownVariables } from '@flotilla/contracts';
import { Command } from 'commander';
import { COMMAND } from './command-name.ts';
import { agentsCommand } from './commands/agents.ts';
import { approvalsCommand } from './commands/approvals.ts';
import { benchCommand } from './commands/bench.ts';
import { breakersCommand } from './commands/breakers.ts';
import { bulkCommand } from './commands/bulk.ts';
import { cancelCommand } from './commands/cancel.ts';
import { channelsCommand, sendCommand } from './commands/channels.ts';
import { chaosCommand } from './commands/chaos.ts';
import { checkpointsCommand } from './commands/checkpoints.ts';
import { cleanupsCommand } from './commands/cleanups.ts';
import { deadLettersCommand } from './commands/dead-letters.ts';
import { devCommand } from './commands/dev.ts';
import { doctorCommand } from './commands/doctor.ts';
import { historyCommand } from './commands/history.ts';
import { importCommand } from './commands/import.ts';
import { logsCommand } from './commands/logs.ts';
import { migrateCommand } from './commands/migrate.ts';
import { pauseCommand, resumeCommand } from './commands/pause.ts';
import { psCommand } from './commands/ps.ts';
import { registerCommand } from './commands/register.ts';
import { reportCommand } from './commands/report.ts';
import { retryCommand } from './commands/retry.ts';
import { runCommand } from './commands/run.ts';
import { dashboardCommand, schedulerCommand, workerCommand } from './commands/serve.ts';
import { showCommand } from './commands/show.ts';
import { signalCommand } from './commands/signal.ts';
import { topCommand } from './commands/top.ts';
import { upCommand } from './commands/up.ts';
import { usageCommand } from './commands/usage.ts';
import { validateCommand } from './commands/validate.ts';
import { watchCommand } from './commands/watch.ts';
import { whyCommand } from './commands/why.ts';
import { workflowsCommand } from './commands/workflows.ts';
import { EXIT } from './exit-codes.ts';
import { reportError } from './report-error.ts';
import { commandMeant } from './suggest.ts';
import type { Terminal } from './terminal.ts';

/** What a command hands back: the exit code. Problems are thrown. */
export type Action = (exitCode: number) => void;

const EXIT_CODES_HELP = `
Exit codes: 0 ok, 1 the run or the check failed, 2 bad usage or input, 3 cannot reach the scheduler or Redis.
Environment: FLOTILLA_URL (http://127.0.0.1:7070), FLOTILLA_API_KEY.`;

/**
 * Runs one command line (without `node` and the script) and returns the exit code. Never throws; every problem is told
 * on the terminal.
 */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const json = args.includes('--json');
  const debug = args.includes('--debug');
  let exitCode: number = EXIT.ok;
  const setExit: Action = (code) => {
    exitCode = code;
  };
  const program = buildProgram(terminal, setExit);
  for (const command of [program, ...program.commands.flatMap((each) => [each, ...each.commands])]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.writeError(withSuggestion(text).replace(/^error: /, 'flotilla: ')),
    });
  }
  for (const warning of warnOfUnknownVariables(terminal.env)) terminal.writeError(`flotilla: warning: ${warning}\n`);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportError(error, terminal, { json, debug });
  }
}

/** The whole command, as docs/reference/cli.md describes it. */
export function buildProgram(terminal: Terminal, setExit: Action): Command {
  const program = new Command('flotilla')
    // What stands behind a command, and behind a command of a command, is theirs: `breakers open payments --json`.
    .enablePositionalOptions()
    .description('Durable multi-step workflows on a fleet of stateless workers.')
    .addHelpText('after', EXIT_CODES_HELP);
  for (const make of COMMANDS) program.addCommand(make(terminal, setExit));
  return program;
}

/** Commander knows the mistyped commands; those under another tool's name are ours to know. */
function withSuggestion(text: string): string {
  const word = /^error: unknown command '([^']*)'$/m.exec(text)?.[1];
  if (word === undefined) return text;
  const meant = commandMeant(word);
  if (meant !== undefined) return `error: unknown command '${word}'\n(Did you mean ${meant}?)\n`;
  return text.includes('(Did you mean') ? text : `${text.trimEnd()}\n${COMMAND} --help lists the commands\n`;
}

const COMMANDS = [
  devCommand,
  upCommand,
  schedulerCommand,
  workerCommand,
  dashboardCommand,
  runCommand,
  validateCommand,
  registerCommand,
  migrateCommand,
  importCommand,
  psCommand,
  showCommand,
  watchCommand,
  whyCommand,
  historyCommand,
  logsCommand,
  checkpointsCommand,
  usageCommand,
  cancelCommand,
  retryCommand,
  deadLettersCommand,
  cleanupsCommand,
  pauseCommand,
  resumeCommand,
  bulkCommand,
  signalCommand,
  channelsCommand,
  sendCommand,
  approvalsCommand,
  agentsCommand,
  breakersCommand,
  workflowsCommand,
  reportCommand,
  topCommand,
  doctorCommand,
  benchCommand,
  chaosCommand,
];
