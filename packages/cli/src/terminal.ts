/** Everything that a command has of the world around it; tests give their own. */
export interface Terminal {
  /** Writes to stdout as it is. */
  write(text: string): void;
  /** Writes to stderr as it is. */
  writeError(text: string): void;
  /** Whether stdout is a terminal on which lines can be drawn again. */
  readonly interactive: boolean;
  columns(): number;
  rows(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP; its reason is `Interrupted`. */
  readonly signal: AbortSignal;
  /** Calls back for each further one, but for what comes with the first; returns what ends that. */
  onFurtherSignal(listener: () => void): () => void;
  /** Leaves all signals to whoever listens for them next; `signal` does not abort any more. */
  releaseSignals(): void;
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
/** A signal to a whole process group comes twice, from who sent it and from the launcher: that is one request to end. */
const SAME_REQUEST_MS = 500;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const controller = new AbortController();
  const listeners = new Set<() => void>();
  let firstAt = 0;
  const hear = (name: EndingSignal) => {
    if (!controller.signal.aborted) {
      firstAt = performance.now();
      controller.abort(new Interrupted(name));
    } else if (performance.now() - firstAt >= SAME_REQUEST_MS) for (const listener of listeners) listener();
  };
  const heard = ENDING_SIGNALS.map((name) => [name, () => hear(name)] as const);
  for (const [name, listener] of heard) process.on(name, listener);
  // A reader that goes away (`flotilla ps | head -1`) is not an error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  return {
    write: (text) => process.stdout.write(text),
    writeError: (text) => process.stderr.write(text),
    interactive: process.stdout.isTTY === true && process.env['TERM'] !== 'dumb' && process.env['CI'] === undefined,
    columns: () => process.stdout.columns || DEFAULT_COLUMNS,
    rows: () => process.stdout.rows || DEFAULT_ROWS,
    env: process.env,
    cwd: process.cwd(),
    signal: controller.signal,
    onFurtherSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    releaseSignals: () => {
      for (const [name, listener] of heard) process.off(name, listener);
    },
  };
}

export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** The reason of a terminal's AbortSignal. */
export class Interrupted extends Error {
  readonly signalName: EndingSignal;

  constructor(signalName: EndingSignal) {
    super(`interrupted by ${signalName}`);
    this.name = 'Interrupted';
    this.signalName = signalName;
  }
}
