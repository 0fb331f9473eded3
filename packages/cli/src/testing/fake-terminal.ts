import type { Terminal } from '../terminal.ts';

export interface FakeTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Like a signal of that kind. */
  interrupt(reason: Error): void;
}

/** A terminal that remembers what was written to it. */
export function fakeTerminal(
  options: { cwd?: string; env?: Record<string, string>; interactive?: boolean; columns?: number; rows?: number } = {},
): FakeTerminal {
  const controller = new AbortController();
  let stdout = '';
  let stderr = '';
  return {
    write: (text) => {
      stdout += text;
    },
    writeError: (text) => {
      stderr += text;
    },
    interactive: options.interactive ?? false,
    columns: () => options.columns ?? 80,
    rows: () => options.rows ?? 24,
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    signal: controller.signal,
    onFurtherSignal: () => () => undefined,
    releaseSignals: () => undefined,
    stdout: () => stdout,
    stderr: () => stderr,
    interrupt: (reason) => controller.abort(reason),
  };
}
