import { defineWorkflow } from '@flotilla/steps';
import { checkCredit, priceLine, send } from './handlers.ts';

/** The same document as invoice.yaml. Handlers stand where the YAML has their names; wrong needs do not compile. */
export default defineWorkflow({
  name: 'invoice',
  version: '1.0.0',
  input: { type: 'object', required: ['customer', 'lines'] },
  retry: { maxAttempts: 5, initialMs: 200 },
  steps: {
    credit: { kind: 'task', use: checkCredit, input: { customer: '${{ run.input.customer }}' } },
    price: {
      kind: 'map',
      over: 'run.input.lines',
      as: 'line',
      concurrency: 4,
      each: { kind: 'task', use: priceLine, input: '${{ line }}' },
    },
    send: {
      kind: 'task',
      use: send,
      needs: ['credit', 'price'],
      input: {
        customer: '${{ run.input.customer }}',
        limit: '${{ steps.credit.output.limit }}',
        amounts: '${{ steps.price.output.map(priced, priced.amount) }}',
      },
    },
  },
  output: '${{ steps.send.output }}',
});
