/** Workflows that show each kind of state on the pages. */
const task = (use: string, input: object = {}, more: object = {}) => ({ kind: 'task', use, input, ...more });

const INVOICE = {
  flotilla: 1,
  name: 'invoice',
  version: '1.2.0',
  title: 'Invoice a customer',
  input: {
    type: 'object',
    required: ['customer', 'amount'],
    properties: {
      customer: { type: 'string', title: 'Customer' },
      amount: { type: 'number', description: 'in euros' },
      express: { type: 'boolean' },
    },
  },
  steps: {
    check: task('e2e.work'),
    price: task('e2e.work', {}, { needs: ['check'] }),
    tax: task('e2e.work', {}, { needs: ['check'] }),
    charge: task('e2e.work', {}, { needs: ['price', 'tax'], compensate: 'e2e.undo' }),
    send: task('e2e.work', {}, { needs: ['charge'] }),
  },
  output: { sent: true },
};

const CHECKOUT = {
  flotilla: 1,
  name: 'checkout',
  steps: {
    reserve: task('e2e.work'),
    charge: task('e2e.refuse', { card: 'visa-4711', allowedIn: '${{ run.input.allowedIn }}' }, { needs: ['reserve'] }),
    ship: task('e2e.work', {}, { needs: ['charge'] }),
  },
};

const GATED = {
  flotilla: 1,
  name: 'gated',
  steps: {
    before: task('e2e.work'),
    gate: task('e2e.gate', { file: '${{ run.input.file }}' }, { needs: ['before'] }),
    after: task('e2e.work', {}, { needs: ['gate'] }),
  },
};

const PARTNER = {
  flotilla: 1,
  name: 'partner-sync',
  retry: { maxAttempts: 50, initialMs: 200, maxMs: 2000 },
  steps: {
    fetch: task('e2e.call-partner', {}, { breaker: 'partner-api' }),
    store: task('e2e.work', {}, { needs: ['fetch'] }),
  },
};

const REPORT = {
  flotilla: 1,
  name: 'nightly-report',
  steps: {
    collect: task('e2e.work'),
    each: {
      kind: 'map',
      over: 'run.input.list',
      concurrency: 50,
      needs: ['collect'],
      each: { kind: 'task', use: 'flotilla.echo', input: { n: '${{ item }}' } },
    },
    mail: task('e2e.work', {}, { needs: ['each'] }),
  },
};

const LONG = {
  flotilla: 1,
  name: 'long-haul',
  steps: {
    start: task('e2e.work'),
    wait: { kind: 'delay', forMs: 3_600_000, needs: ['start'] },
    end: task('e2e.work', {}, { needs: ['wait'] }),
  },
};

/** Like a recorded scientific workflow: levels of many steps that are alike. */
export function layered(levels: number, width: number): object {
  const steps: Record<string, object> = {};
  for (let level = 0; level < levels; level += 1) {
    for (let index = 0; index < width; index += 1) {
      const needs = level === 0 ? [] : [0, 1, 7].map((shift) => `s${level - 1}_${(index + shift) % width}`);
      steps[`s${level}_${index}`] = { kind: 'task', use: 'flotilla.echo', needs: [...new Set(needs)] };
    }
  }
  return { flotilla: 1, name: 'layered', steps };
}

export const ALL = [INVOICE, CHECKOUT, GATED, PARTNER, REPORT, LONG];
