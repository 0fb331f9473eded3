import { runCli } from '../program.ts';
import { type FakeScheduler, fakeScheduler } from './fake-scheduler.ts';
import { type FakeTerminal, fakeTerminal } from './fake-terminal.ts';

interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** stdout as the one JSON document of `--json`. */
  json: () => ReturnType<typeof JSON.parse>;
}

export interface CommandLine {
  /** Answers as a scheduler from then on; FLOTILLA_URL names it. Give it to `stop` when the test ends. */
  serve(routes: Parameters<typeof fakeScheduler>[0]): Promise<FakeScheduler>;
  run(args: readonly string[], env?: Record<string, string>, terminal?: FakeTerminal): Promise<CommandResult>;
  terminal(env?: Record<string, string>): FakeTerminal;
  /** Stops the scheduler, if there is one. */
  stop(): Promise<void>;
}

/** A shell in a folder, with a scheduler of the test's making. */
export function commandLine(cwd: () => string): CommandLine {
  let scheduler: FakeScheduler | undefined;
  const terminal = (env: Record<string, string> = {}): FakeTerminal =>
    fakeTerminal({ cwd: cwd(), env: { ...(scheduler && { FLOTILLA_URL: scheduler.url }), ...env } });
  return {
    terminal,
    serve: async (routes) => {
      await scheduler?.stop();
      scheduler = await fakeScheduler(routes);
      return scheduler;
    },
    run: async (args, env = {}, shown = terminal(env)) => {
      const exitCode = await runCli(args, shown);
      const stdout = shown.stdout();
      return { exitCode, stdout, stderr: shown.stderr(), json: () => JSON.parse(stdout) };
    },
    stop: async () => {
      await scheduler?.stop();
      scheduler = undefined;
    },
  };
}
