import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser, Visitor } from './browser.ts';
import { DashboardFleet } from './dashboard-fleet.ts';

let fleet: DashboardFleet;
let browser: Browser;

beforeAll(async () => {
  [fleet, browser] = await Promise.all([DashboardFleet.start(import.meta.url), launchBrowser()]);
  await fleet.registerAll();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

test('runs that were selected are cancelled as one job, which says what became of each', async () => {
  const visitor = await Visitor.arrive(browser, fleet.url);
  const { page } = visitor;
  const runIds = [await fleet.run('long-haul', {}, ['bulk']), await fleet.run('long-haul', {}, ['bulk'])];
  await visitor.go('runs?tag=bulk');
  for (const runId of runIds) await page.getByRole('checkbox', { name: `Select ${runId}` }).check();
  await page.getByRole('button', { name: 'Act on 2 selected runs' }).click();
  await page.getByRole('menuitem', { name: 'Cancel…' }).click();
  await page.getByRole('button', { name: 'Cancel 2 runs' }).click();
  await page.waitForURL(/bulk\?job=/);
  const panel = page.getByRole('complementary', { name: /^Bulk job / });
  await panel.getByText('cancel 2 runs: 2 done, 0 failed').waitFor();
  for (const runId of runIds) await panel.getByRole('link', { name: runId }).waitFor();
  await fleet.fleet.api.waitForEnd(runIds);
  expect((await Promise.all(runIds.map((runId) => fleet.fleet.api.run(runId)))).map(({ status }) => status)).toEqual([
    'cancelled',
    'cancelled',
  ]);
  expect(await page.getByRole('button', { name: 'Abort' }).count()).toBe(0);
  expect(visitor.problems).toEqual([]);
  await visitor.context.close();
});
