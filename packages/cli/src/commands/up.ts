import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createClient, type FlotillaClient } from '@flotilla/client';
import { parseApiKey, SCOPES } from '@flotilla/contracts';
import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { COMMAND } from '../command-name.ts';
import { DEFAULT_URL } from '../connect-scheduler.ts';
import { followLog } from '../dev/follow-log.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { claimLogFolder } from '../up/claim-log-folder.ts';
import { runDemo } from '../up/demo.ts';
import { Fleet } from '../up/fleet.ts';
import { requirePort } from '../up/listening-port.ts';
import { defaultLogFolder } from '../up/program-files.ts';
import { type CommonOptions, wholeNumber, withCommon } from './common-options.ts';
import { outcomeOf } from './run.ts';

export interface UpOptions extends CommonOptions {
  workers: number;
  /** Reloads handlers, and shows logs. */
  reload?: boolean;
  handlers?: string;
  port?: number;
  dashboard: boolean;
  dashboardPort?: number;
  demo?: boolean;
  once?: boolean;
}

/** Where people and programs reach what was started. */
interface FleetUrls {
  url: string;
  dashboardUrl?: string;
}

const DEFAULT_PORT = 7070;
const DEFAULT_DASHBOARD_PORT = 7071;
const MOST_WORKERS = 64;
/** As pino counts them. */
const INFO_LEVEL = 30;
const WARNING_LEVEL = 40;

export function upCommand(terminal: Terminal, exit: Action): Command {
  const command = new Command('up')
    .description('start a scheduler, workers and the dashboard, and serve until Ctrl-C')
    .option('--workers <count>', 'worker processes', wholeNumber(0, MOST_WORKERS), 3);
  return withFleetOptions(command)
    .option('--demo', 'run a sample workflow once everything is up')
    .option('--once', 'end when everything is up, or with --demo when the run has ended')
    .action((options: UpOptions) => runUp(options, terminal, exit));
}

/** The options that `up` and `dev` share. */
export function withFleetOptions(command: Command): Command {
  return withCommon(command)
    .option(
      '--handlers <file>',
      'modules or packages with your step handlers, separated by commas (default: FLOTILLA_HANDLERS)',
    )
    .option(
      '--port <port>',
      `of the API; 0 takes any free one (default: FLOTILLA_PORT, else ${DEFAULT_PORT})`,
      wholeNumber(0, 65_535),
    )
    .option('--no-dashboard', 'do not start the dashboard')
    .option(
      '--dashboard-port <port>',
      `of the dashboard; 0 takes any free one (default: FLOTILLA_DASHBOARD_PORT, else ${DEFAULT_DASHBOARD_PORT} or, when that is in use, any)`,
      wholeNumber(0, 65_535),
    );
}

export async function runUp(options: UpOptions, terminal: Terminal, exit: Action): Promise<void> {
  // With --json stdout holds the outcome of the demo and nothing else.
  const people: Terminal = options.json ? { ...terminal, write: () => undefined, interactive: false } : terminal;
  const outcome = await up(options, people);
  if (options.json) printJson(terminal, outcome === undefined ? { ok: true } : outcomeOf(outcome));
  exit(outcome === undefined || outcome.status === 'succeeded' ? EXIT.ok : EXIT.failed);
}

async function up(options: UpOptions, terminal: Terminal) {
  const environment = await environmentOf(options, terminal);
  const logs = claimLogFolder(resolve(terminal.cwd, environment.env['FLOTILLA_LOGS'] || defaultLogFolder));
  try {
    return await runFleet(options, terminal, environment, logs.path);
  } finally {
    logs.release();
  }
}

/** What handlers and the worker say, and what troubles the scheduler. Returns what ends that. */
function showLogs(fleet: Fleet, terminal: Terminal): () => void {
  const shown = { colour: terminal.interactive, write: (text: string) => terminal.write(text) };
  const { scheduler, workers } = fleet.logFiles();
  const ends = [
    followLog(scheduler, { ...shown, minLevel: WARNING_LEVEL }),
    ...workers.map((file) => followLog(file, { ...shown, minLevel: INFO_LEVEL })),
  ];
  return () => {
    for (const end of ends) end();
  };
}

async function runFleet(
  options: UpOptions,
  terminal: Terminal,
  { env, url, dashboardUrl }: FleetUrls & { env: NodeJS.ProcessEnv },
  logFolder: string,
) {
  const client = clientFor(url, env);
  const say = (line: string) => printLine(terminal, line);
  const urls = { url, ...(dashboardUrl === undefined ? {} : { dashboardUrl }) };
  const reload = options.reload === true ? { cwd: terminal.cwd } : undefined;
  const fleet = new Fleet({
    workers: options.workers,
    ...urls,
    env,
    client,
    logFolder,
    say,
    ...(reload && { reload }),
  });
  const endLogs = options.reload === true ? showLogs(fleet, terminal) : () => undefined;
  const ignoreFurther = terminal.onFurtherSignal(() => fleet.kill());
  try {
    await fleet.untilReady(terminal.signal);
    say(
      `Ready: a scheduler and ${options.workers} worker${options.workers === 1 ? '' : 's'}; their logs are in ${logFolder}`,
    );
    printUrls(terminal, urls);
    const work = serve(options, client, terminal, urls);
    return await Promise.race([work, fleet.untilBroken()]);
  } finally {
    if (terminal.signal.aborted) say('Draining; Ctrl-C again ends everything at once');
    await fleet.stop();
    endLogs();
    ignoreFurther();
  }
}

/** Returns the demo's run when there was one. */
async function serve(options: UpOptions, client: FlotillaClient, terminal: Terminal, urls: FleetUrls) {
  let run: Awaited<ReturnType<typeof runDemo>> | undefined;
  try {
    if (options.demo === true) {
      printLine(terminal);
      run = await runDemo(client, terminal);
      if (options.once !== true) {
        printLine(terminal);
        printUrls(terminal, urls);
      }
    }
  } catch (error) {
    // Ctrl-C during the demo ends it like Ctrl-C after it.
    if (!terminal.signal.aborted) throw error;
  }
  if (options.once === true) {
    terminal.signal.throwIfAborted();
    return run;
  }
  if (!terminal.signal.aborted) printLine(terminal, 'Serving until Ctrl-C');
  await untilAborted(terminal.signal);
  return run;
}

async function environmentOf(options: UpOptions, terminal: Terminal): Promise<FleetUrls & { env: NodeJS.ProcessEnv }> {
  const { env } = terminal;
  if (env['REDIS_URL'] === undefined || env['REDIS_URL'] === '') {
    throw new CliProblem('REDIS_URL_MISSING', 'REDIS_URL is not set', {
      exitCode: EXIT.unreachable,
      hint: `start with ${COMMAND} up or npm start, which bring a Redis along, or set REDIS_URL=redis://host:6379`,
    });
  }
  const host = env['FLOTILLA_HOST'] || '127.0.0.1';
  const port = await requirePort(bare(host), options.port ?? portOf(env, 'FLOTILLA_PORT', DEFAULT_PORT));
  const dashboard = options.dashboard ? await dashboardAddress(options, env) : undefined;
  const handlers = handlerFiles(options.handlers, terminal.cwd);
  const url = `http://${urlHost(host)}:${port}`;
  return {
    url,
    ...(dashboard === undefined ? {} : { dashboardUrl: dashboard.url }),
    env: {
      ...env,
      FLOTILLA_HOST: host,
      FLOTILLA_PORT: String(port),
      FLOTILLA_URL: url,
      ...(dashboard === undefined ? {} : { FLOTILLA_DASHBOARD_PORT: String(dashboard.port) }),
      ...(handlers === undefined ? {} : { FLOTILLA_HANDLERS: handlers }),
    },
  };
}

async function dashboardAddress(options: UpOptions, env: Terminal['env']): Promise<{ port: number; url: string }> {
  const host = env['FLOTILLA_DASHBOARD_HOST'] || '127.0.0.1';
  const setting = '--dashboard-port or FLOTILLA_DASHBOARD_PORT';
  const asked =
    options.dashboardPort ?? (env['FLOTILLA_DASHBOARD_PORT'] ? portOf(env, 'FLOTILLA_DASHBOARD_PORT', 0) : undefined);
  // Another fleet on this machine may have the usual port: that is no reason to do without.
  const port =
    asked === undefined
      ? await requirePort(bare(host), DEFAULT_DASHBOARD_PORT, setting).catch(() => requirePort(bare(host), 0, setting))
      : await requirePort(bare(host), asked, setting);
  return { port, url: `http://${urlHost(host)}:${port}` };
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

function portOf(env: Terminal['env'], name: string, standard: number): number {
  const text = env[name] || String(standard);
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new CliProblem('CONFIG_INVALID', `${name} is ${JSON.stringify(text)}, not a port`);
  }
  return port;
}

/** As FLOTILLA_HANDLERS has them: one file, or several with commas between. */
function handlerFiles(files: string | undefined, cwd: string): string | undefined {
  if (files === undefined) return undefined;
  const whole = resolve(cwd, files);
  const names = existsSync(whole) ? [files] : files.split(',').map((file) => file.trim());
  const paths = names.map((file) => {
    const path = resolve(cwd, file);
    if (!existsSync(path) && isPackageName(file)) return file;
    if (!existsSync(path)) throw new CliProblem('FILE_NOT_FOUND', `there is no file ${file} with handlers`);
    return path;
  });
  // A comma in a path would part it.
  return paths.some((path) => path.includes(',')) ? JSON.stringify(paths) : paths.join(',');
}

/** As the worker tells them from paths. */
function isPackageName(name: string): boolean {
  return /^(@[a-z0-9-~][\w.~-]*\/)?[a-z0-9-~][\w.~-]*$/.test(name) && !/\.[cm]?[jt]s$/.test(name);
}

/** What to connect to where the server listens on all addresses. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '[::]') return '127.0.0.1';
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function clientFor(url: string, env: NodeJS.ProcessEnv): FlotillaClient {
  const apiKey = env['FLOTILLA_API_KEY'] || ownKey(env['FLOTILLA_API_KEYS'] ?? '');
  return createClient({ url, ...(apiKey ? { apiKey } : {}) });
}

/** Of the scheduler's keys one that may do everything, or else the first. */
function ownKey(keys: string): string | undefined {
  const known = keys.split(',').flatMap((key) => (key.trim() === '' ? [] : [parseApiKey(key.trim())]));
  return (known.find(({ scopes }) => scopes.length === SCOPES.length) ?? known[0])?.secret;
}

function printUrls(terminal: Terminal, { url, dashboardUrl }: FleetUrls): void {
  if (url !== DEFAULT_URL) {
    printLine(terminal, 'Not the usual port: in the terminals where you use it, say');
    printLine(terminal, `  export FLOTILLA_URL=${url}`);
  }
  if (dashboardUrl !== undefined) printLine(terminal, `  Dashboard  ${dashboardUrl}`);
  printLine(terminal, `  API        ${url}/v1/runs`);
  printLine(terminal, `  OpenAPI    ${url}/openapi.json`);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
