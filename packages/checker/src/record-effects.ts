import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EffectReport, ProgressReport, StepReport } from './recording.ts';

export interface EffectRecorder {
  /** For the environment of workers: `FLOTILLA_EFFECTS_URL`. */
  readonly url: string;
  close(): Promise<void>;
}

/** What a step sends: the receiver adds the time and, for an effect, whether its key is new. */
export type SentReport = Omit<EffectReport, 'at' | 'applied'> | Omit<ProgressReport, 'at'>;

/**
 * The outside world that steps have effects on: a server that deduplicates by `run/step`, as every receiver should, and
 * keeps whatever steps report. `add` is called before the step is answered.
 */
export async function startEffectRecorder(add: (report: StepReport) => void): Promise<EffectRecorder> {
  const applied = new Set<string>();
  const server = createServer((request, response) => {
    readReport(request).then(
      (sent) => {
        const report = receive(sent, applied);
        add(report);
        response.end(JSON.stringify(report));
      },
      (error: unknown) => {
        response.statusCode = 400;
        response.end(String(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

async function readReport(request: IncomingMessage): Promise<SentReport> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return JSON.parse(text) as SentReport;
}

function receive(sent: SentReport, applied: Set<string>): StepReport {
  const at = Date.now();
  if (sent.kind !== 'effect') return { ...sent, at };
  const isNew = !applied.has(sent.key);
  applied.add(sent.key);
  return { ...sent, at, applied: isNew };
}
