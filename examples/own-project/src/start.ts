import { createClient, isFlotillaError, type RunView } from '@flotilla/client';
import { defineWorkflow } from '@flotilla/steps';
import { greet } from './handlers.ts';

const workflow = defineWorkflow({
  name: 'hello',
  version: '1.0.0',
  steps: { greet: { kind: 'task', use: greet, input: { name: '${{ run.input.name }}' } } },
  output: '${{ steps.greet.output }}',
});

const flotilla = createClient(); // FLOTILLA_URL, else http://127.0.0.1:7070
try {
  const { runId } = await flotilla.start(workflow, { name: 'Ada' });
  const run: RunView = await flotilla.wait(runId, { timeoutMs: 60_000 });
  process.stdout.write(`${run.status} ${JSON.stringify(run.output)}\n`);
} catch (error) {
  if (!isFlotillaError(error)) throw error;
  process.stderr.write(`${error.code} (${error.status}): ${error.message}\n`);
  process.exitCode = 1;
}
