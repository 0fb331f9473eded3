import { defineWorkflow } from '@flotilla/steps';
import { approve, charge, dispatch, pricing, reserve, sendMail } from './handlers.ts';

/** The same workflow as order-fulfilment.yaml. Needs and branch targets are checked by the TypeScript compiler. */
export default defineWorkflow({
  name: 'order-fulfilment',
  version: '1.0.0',
  title: 'From stock to parcel',
  input: {
    type: 'object',
    required: ['orderId', 'items'],
    properties: {
      orderId: { type: 'string' },
      items: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['sku', 'quantity'],
          properties: { sku: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
        },
      },
      recipients: { type: 'array', items: { type: 'string' } },
    },
  },
  timeoutMs: 600_000,
  retry: { maxAttempts: 4, initialMs: 100, factor: 2, maxMs: 5000 },
  steps: {
    reserve: {
      kind: 'task',
      title: 'Take the items from stock',
      use: reserve,
      input: { orderId: '${{ run.input.orderId }}', items: '${{ run.input.items }}' },
    },
    price: {
      kind: 'agent',
      title: 'Work out what it costs',
      capability: pricing,
      needs: ['reserve'],
      input: { items: '${{ run.input.items }}' },
    },
    large: {
      kind: 'branch',
      needs: ['price'],
      cases: [{ when: 'steps.price.output.total > 1000', to: 'approve' }],
      otherwise: 'charge',
    },
    approve: {
      kind: 'task',
      title: 'Ask for approval of a large order',
      use: approve,
      input: { orderId: '${{ run.input.orderId }}', total: '${{ steps.price.output.total }}' },
    },
    charge: {
      kind: 'task',
      title: 'Charge the customer',
      use: charge,
      needs: ['approve'],
      join: 'any',
      input: { orderId: '${{ run.input.orderId }}', amount: '${{ steps.price.output.total }}' },
      timeouts: { attemptMs: 10_000, totalMs: 60_000 },
    },
    cool: { kind: 'delay', title: "Leave a moment to change one's mind", needs: ['charge'], forMs: 500 },
    ship: {
      kind: 'task',
      title: 'Hand the parcel over',
      use: dispatch,
      needs: ['cool'],
      input: { orderId: '${{ run.input.orderId }}', reservation: '${{ steps.reserve.output.reservation }}' },
    },
    notify: {
      kind: 'map',
      title: 'Tell everybody',
      needs: ['ship'],
      when: 'has(run.input.recipients)',
      over: 'run.input.recipients',
      as: 'recipient',
      concurrency: 5,
      tolerate: { failures: 1 },
      each: {
        kind: 'task',
        use: sendMail,
        input: { to: '${{ recipient }}', subject: 'Order ${{ run.input.orderId }} is on its way' },
      },
    },
  },
  output: { charged: '${{ steps.charge.output.amount }}', tracking: '${{ steps.ship.output.tracking }}' },
});
