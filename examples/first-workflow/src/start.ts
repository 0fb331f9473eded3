import { createClient } from '@flotilla/client';
import workflow from './workflow.ts';

const flotilla = createClient(); // FLOTILLA_URL, else http://127.0.0.1:7070
const order = {
  customer: 'Ada',
  lines: [
    { article: 'mug', quantity: 4 },
    { article: 'desk', quantity: 1 },
  ],
};

// The same key and content give the same run, however often this program is started.
const { runId } = await flotilla.start(workflow, order, { idempotencyKey: 'invoice-2026-0042' });
const run = await flotilla.wait(runId, { timeoutMs: 60_000 });
process.stdout.write(`${runId} ${run.status} ${JSON.stringify(run.output)}\n`);
