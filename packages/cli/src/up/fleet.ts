import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FlotillaClient } from '@flotilla/client';
import { CliProblem } from '../cli-problem.ts';
import { ReloadOnChange } from '../dev/reload-on-change.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { programArguments } from './program-files.ts';
import { type Crash, type ProcessEnd, SupervisedProcess } from './supervised-process.ts';

export interface FleetOptions {
  workers: number;
  url: string;
  /** Where the dashboard will listen, or undefined to leave it out. */
  dashboardUrl?: string;
  env: NodeJS.ProcessEnv;
  client: FlotillaClient;
  logFolder: string;
  /** One line for people. */
  say(line: string): void;
  /** Workers are replaced when a file of their handlers changes. */
  reload?: { cwd: string };
}

const READY_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;
const LOOK_DEADLINE_MS = 2000;
/** Workers hand back what they cannot finish within their own grace time; this is for one that hangs. */
const WORKER_GRACE_MS = 40_000;
const SCHEDULER_GRACE_MS = 10_000;

const ORDINALS = new Intl.PluralRules('en', { type: 'ordinal' });

/** A scheduler, its workers and the dashboard as child processes. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #scheduler: SupervisedProcess;
  readonly #workers: SupervisedProcess[];
  /** Workers that have been listed as healthy. A step that waited for them may have ended them since. */
  readonly #seen = new Set<SupervisedProcess>();
  readonly #dashboard: SupervisedProcess | undefined;
  readonly #reload: ReloadOnChange | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    if (options.reload !== undefined) {
      this.#reload = new ReloadOnChange({ ...options.reload, say: options.say, lastWords: lastWordsOf });
    }
    // Looked up before anything is started.
    const workerArguments = programArguments('worker');
    this.#scheduler = this.#supervise('scheduler', programArguments('scheduler'));
    this.#workers = Array.from({ length: options.workers }, (_, index) =>
      this.#supervise(`worker-${index + 1}`, workerArguments, this.#reload),
    );
    if (options.dashboardUrl !== undefined) {
      this.#dashboard = this.#supervise('dashboard', programArguments('dashboard'));
    }
  }

  /**
   * Waits until the scheduler answers that it is ready and every worker has been listed and the dashboard answers. One that ends meanwhile is started
   * again, for it may have been a step that waited for it, unless its exit code says that it is set up wrong.
   * @throws CliProblem `NOT_READY` with the end of the logs, after 30 s or as soon as one of them is given up.
   */
  async untilReady(signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    const failed = this.#firstEnded();
    for (;;) {
      signal.throwIfAborted();
      if (await this.#isReady()) break;
      const ended = await Promise.race([failed, wait(LOOK_EVERY_MS, undefined)]);
      if (ended !== undefined) {
        const { each, how, code } = ended;
        throw await notReady(
          each,
          `${each.name} ${how}`,
          code === EXIT.usage || code === EXIT.unreachable ? code : EXIT.failed,
        );
      }
      if (performance.now() > deadlineMs) {
        const late = `not ready within ${READY_WITHIN_MS / 1000} s`;
        throw await notReady(await this.#slowest(), late, EXIT.unreachable);
      }
    }
    for (const each of this.#all()) each.keepUp();
    this.#reload?.start(this.#workers);
  }

  /** Where each part logs. */
  logFiles(): { scheduler: string; workers: string[] } {
    return { scheduler: this.#scheduler.logFile, workers: this.#workers.map(({ logFile }) => logFile) };
  }

  /** Rejects when a process has ended that is not to be started again, such as a scheduler without its data; never resolves. */
  async untilBroken(): Promise<never> {
    const { each, how } = await this.#firstEnded();
    const hint = `its log is ${each.logFile}`;
    throw new CliProblem('PROCESS_ENDED', `${each.name} ${how}`, { exitCode: EXIT.failed, hint });
  }

  /** Drains the workers, then ends the scheduler. */
  async stop(): Promise<void> {
    this.#reload?.close();
    this.#scheduler.letEnd();
    const dashboard = this.#dashboard?.stop(SCHEDULER_GRACE_MS);
    await Promise.all(this.#workers.map((worker) => worker.stop(WORKER_GRACE_MS)));
    await dashboard;
    await this.#scheduler.stop(SCHEDULER_GRACE_MS);
  }

  kill(): void {
    for (const each of this.#all()) each.kill();
  }

  #all(): SupervisedProcess[] {
    const dashboard = this.#dashboard;
    return [this.#scheduler, ...this.#workers, ...(dashboard === undefined ? [] : [dashboard])];
  }

  #firstEnded(): Promise<ProcessEnd & { each: SupervisedProcess }> {
    return Promise.race(this.#all().map((each) => each.ended.then((end) => ({ ...end, each }))));
  }

  #supervise(name: string, args: readonly string[], reload?: ReloadOnChange): SupervisedProcess {
    const onCrash = ({ how, pauseMs, recentCrashes }: Crash) => {
      const again = recentCrashes > 1 ? `, for the ${ordinal(recentCrashes)} time` : '';
      this.#options.say(`${name} ${how}${again}; starting it again in ${pauseMs / 1000} s`);
    };
    const logFile = join(this.#options.logFolder, `${name}.log`);
    const onMessage = reload === undefined ? {} : { onMessage: (message: unknown) => reload.hear(message) };
    return new SupervisedProcess({ name, args, env: this.#options.env, logFile, onCrash, ...onMessage });
  }

  async #isReady(): Promise<boolean> {
    if (!(await this.#schedulerIsReady())) return false;
    const agents = await this.#options.client.agents({ deadlineMs: LOOK_DEADLINE_MS });
    const listed = new Set(agents.filter(({ status }) => status === 'healthy').map(({ pid }) => pid));
    for (const worker of this.#workers) if (worker.pid !== undefined && listed.has(worker.pid)) this.#seen.add(worker);
    if (this.#seen.size < this.#workers.length) return false;
    return this.#dashboardIsReady();
  }

  async #slowest(): Promise<SupervisedProcess> {
    if (!(await this.#schedulerIsReady())) return this.#scheduler;
    const unseen = this.#workers.find((worker) => !this.#seen.has(worker));
    return unseen ?? this.#dashboard ?? this.#scheduler;
  }

  async #dashboardIsReady(): Promise<boolean> {
    const { dashboardUrl } = this.#options;
    return dashboardUrl === undefined || answers(`${dashboardUrl}/healthz`);
  }

  async #schedulerIsReady(): Promise<boolean> {
    return answers(`${this.#options.url}/readyz`);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LOOK_DEADLINE_MS) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false; // it does not listen yet
  }
}

function ordinal(count: number): string {
  const suffix = { one: 'st', two: 'nd', few: 'rd', other: 'th' }[
    ORDINALS.select(count) as 'one' | 'two' | 'few' | 'other'
  ];
  return `${count}${suffix}`;
}

async function notReady(process: SupervisedProcess, message: string, exitCode: ExitCode): Promise<CliProblem> {
  const problems = (await lastWordsOf(process)).map((message) => ({ code: 'LOG', path: '', message }));
  return new CliProblem('NOT_READY', message, {
    exitCode,
    hint: `the whole log is ${process.logFile}`,
    problems,
  });
}

async function lastWordsOf(process: SupervisedProcess): Promise<string[]> {
  return (await process.lastLines()).map(readableLine);
}

/** Log lines are JSON; what a person looks for in them is the message. */
function readableLine(line: string): string {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    const texts = [msg, err?.message].filter((text): text is string => typeof text === 'string');
    return texts.length === 0 ? line : texts.join(': ');
  } catch {
    return line; // a stack, or what Node itself says
  }
}
