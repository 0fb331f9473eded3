import AxeBuilder from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser, type Theme, Visitor } from './browser.ts';
import { DashboardFleet } from './dashboard-fleet.ts';

let fleet: DashboardFleet;
let empty: DashboardFleet;
let browser: Browser;
const runs: Record<string, string> = {};

beforeAll(async () => {
  [fleet, empty, browser] = await Promise.all([
    DashboardFleet.start(`${import.meta.url}#busy`),
    DashboardFleet.start(`${import.meta.url}#empty`),
    launchBrowser(),
  ]);
  await fleet.registerAll();
  const allowedIn = await fleet.gateFile('never');
  runs['gated'] = await fleet.run('gated', { file: await fleet.gateFile('shut') });
  for (let index = 0; index < 6; index += 1)
    runs['invoice'] = await fleet.run('invoice', { customer: 'Ada', amount: index });
  for (let index = 0; index < 6; index += 1) runs['checkout'] = await fleet.run('checkout', { allowedIn }, ['shop']);
  for (let index = 0; index < 8; index += 1) runs['partner'] = await fleet.run('partner-sync');
  runs['report'] = await fleet.run('nightly-report', { list: Array.from({ length: 100 }, (_, item) => item) });
  runs['long'] = await fleet.run('long-haul');
  await fleet.untilEnded(runs['report']);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
  await empty?.stop();
});

/** Name, path and what is there when the page has been read. */
const PAGES: readonly [name: string, path: () => string, shows: string][] = [
  ['overview', () => '', 'Waiting now, by reason'],
  ['runs', () => 'runs', 'invoice@1.2.0'],
  ['runs-failed', () => 'runs?status=failed', 'CARD_REFUSED'],
  ['run-graph', () => `runs/${runs['checkout']}?step=charge`, 'was refused'],
  ['run-waiting', () => `runs/${runs['partner']}`, 'breaker open'],
  ['run-map', () => `runs/${runs['report']}?step=each`, 'Items'],
  ['run-timeline', () => `runs/${runs['invoice']}?tab=timeline`, 'hatched: waits'],
  ['run-history', () => `runs/${runs['invoice']}?tab=history`, 'run-succeeded'],
  ['run-payloads', () => `runs/${runs['invoice']}?tab=payloads`, '"customer"'],
  ['errors', () => 'errors', 'rror'],
  ['dead-letters', () => 'dead-letters', 'CARD_REFUSED'],
  ['agents', () => 'agents', 'healthy'],
  ['breakers', () => 'breakers', 'partner-api'],
  ['queues', () => 'task-queues', 'default'],
  ['workflows', () => 'workflows', 'nightly-report'],
  ['workflow', () => 'workflows/invoice', 'Definition'],
  ['start-run', () => 'workflows/invoice?start=1', 'Customer'],
  ['bulk', () => 'bulk', 'ulk'],
  ['compare', () => `compare?run=${runs['invoice']}`, 'Other run'],
  ['settings', () => 'settings', 'Feature flags'],
];
const SERIOUS = ['serious', 'critical'];

async function findSeriousProblems(visitor: Visitor): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page: visitor.page as never }).analyze();
  return violations
    .filter(({ impact }) => SERIOUS.includes(impact ?? ''))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join('\n  ')}`);
}

/** Graphs are laid out in a worker: what is looked at is the graph, not the wait for it. */
async function untilDrawn({ page }: Visitor): Promise<void> {
  if ((await page.locator('.graph').count()) > 0) await page.locator('.step-node').first().waitFor();
}

describe.each<Theme>(['light', 'dark'])('%s', (theme) => {
  test.each(PAGES)(
    '%s is usable by everybody, asks nothing of other sites, and fits 320 pixels',
    async (name, path, shows) => {
      const visitor = await Visitor.arrive(browser, fleet.url, { theme });
      const { page } = visitor;
      await visitor.go(path());
      await page.locator('main').getByText(shows).first().waitFor();
      await untilDrawn(visitor);
      await visitor.picture(`${name}-${theme}`);
      expect(await findSeriousProblems(visitor)).toEqual([]);
      await page.setViewportSize({ width: 320, height: 800 });
      await page.locator('main').getByText(shows).first().waitFor({ state: 'attached' });
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
      await visitor.picture(`${name}-${theme}-320`);
      expect(visitor.problems).toEqual([]);
      await visitor.context.close();
    },
  );
});

test('a chart that was not drawn anew yet does not make its page wider', async () => {
  const visitor = await Visitor.arrive(browser, fleet.url);
  const { page } = visitor;
  await page.addInitScript('ResizeObserver.prototype.observe = () => {}');
  await visitor.go('');
  await page.locator('.chart canvas').waitFor();
  await page.setViewportSize({ width: 320, height: 800 });
  expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
  await visitor.context.close();
});

test.each(['', 'runs', 'errors', 'dead-letters', 'breakers', 'workflows', 'bulk'])(
  'without any run, /%s says what fills it',
  async (path) => {
    const visitor = await Visitor.arrive(browser, empty.url);
    await visitor.go(path);
    await visitor.page.locator('main .empty').first().waitFor();
    await visitor.picture(`empty-${path === '' ? 'overview' : path}`);
    expect(visitor.problems).toEqual([]);
    await visitor.context.close();
  },
);

test('without a scheduler, a page keeps what it last saw, says how old it is, and comes back', async () => {
  const visitor = await Visitor.arrive(browser, fleet.url);
  const [scheduler] = fleet.fleet.schedulers;
  await visitor.go('agents');
  await visitor.page.getByText('healthy').first().waitFor();
  await scheduler!.kill9();
  await visitor.page.getByText(/What you see is from/).waitFor();
  await visitor.page.getByText('healthy').first().waitFor();
  await visitor.picture('agents-broken');
  await fleet.fleet.replace(scheduler!);
  await visitor.page.getByText(/What you see is from/).waitFor({ state: 'detached', timeout: 30_000 });
  await visitor.context.close();
}, 90_000);

test('the Bull dashboard shows all queues, with tasks named by what they carry, and offers no change', async () => {
  const visitor = await Visitor.arrive(browser, fleet.url);
  await visitor.page.goto('queues/queue/default?status=failed');
  await visitor.page.getByText('checkout/reserve').first().waitFor();
  await visitor.page.getByText('1 of 2 attempts failed: CARD_REFUSED').first().waitFor();
  await visitor.picture('bull-dashboard');
  expect(await visitor.page.getByRole('button', { name: /retry|promote|clean|obliterate|pause/i }).count()).toBe(0);
  expect(visitor.problems).toEqual([]);
  await visitor.context.close();
});
