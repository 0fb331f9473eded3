import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, Visitor } from './browser.ts';
import { DashboardFleet } from './dashboard-fleet.ts';
import { layered } from './definitions.ts';

/** Of the main thread, while a page is used. */
const LONGEST_TASK_MS = 200;

let fleet: DashboardFleet;
let browser: Browser;
let layers: string;
let map: string;

beforeAll(async () => {
  [fleet, browser] = await Promise.all([DashboardFleet.start(import.meta.url), launchBrowser()]);
  await fleet.registerAll();
  layers = (await fleet.post('/v1/runs', { definition: layered(17, 100), input: {} })).runId;
  map = await fleet.run('nightly-report', { list: Array.from({ length: 10_000 }, (_, item) => item) });
  await fleet.untilEnded(layers, 120_000);
  await fleet.untilEnded(map, 240_000);
}, 400_000);
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

/**
 * Watches the tasks of the page's main thread; answers the processor time of the longest, in ms. Not the wall clock: on a busy
 * machine a task is long because others have the processor.
 */
async function watchTasks(page: Page): Promise<() => Promise<number>> {
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  return async () => longestTaskMs(JSON.parse((await browser.stopTracing()).toString('utf8')));
}

interface Trace {
  traceEvents: { name: string; pid: number; tid: number; tdur?: number; args?: { name?: string } }[];
}

function longestTaskMs({ traceEvents }: Trace): number {
  const threadOf = ({ pid, tid }: { pid: number; tid: number }) => `${pid} ${tid}`;
  const mainThreads = new Set(
    traceEvents.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain').map(threadOf),
  );
  const tasks = traceEvents.filter((event) => event.tdur !== undefined && mainThreads.has(threadOf(event)));
  expect(tasks.length).toBeGreaterThan(0);
  return Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
}

async function scroll(page: Page, region: string): Promise<void> {
  await page.evaluate(
    `(async () => {
      const element = document.querySelector(${JSON.stringify(region)});
      for (let step = 1; step <= 40; step += 1) {
        element.scrollTop = (element.scrollHeight * step) / 40;
        await new Promise(requestAnimationFrame);
      }
    })()`,
  );
}

describe('a run of 1,700 steps', () => {
  test('opens folded, in one box for steps that are alike, and whole when asked to', async () => {
    const visitor = await Visitor.arrive(browser, fleet.url);
    const { page } = visitor;
    await visitor.go(`runs/${layers}`);
    await page.getByText('1,700 steps', { exact: true }).waitFor();
    await page.locator('.step-node').first().waitFor();
    expect(await page.locator('.step-node').count()).toBeLessThan(30);
    await visitor.picture('huge-graph-folded');
    const longestMs = await watchTasks(page);
    await page.getByRole('button', { name: 'Show all 1,700 steps' }).click();
    await page.getByRole('group', { name: /^s0_/ }).first().waitFor();
    await visitor.picture('huge-graph');
    expect(await longestMs()).toBeLessThan(LONGEST_TASK_MS);
    expect(visitor.problems).toEqual([]);
    await visitor.context.close();
  });
});

describe('a map of 10,000 items, with a history of 50,000 events', () => {
  test('is one box with counts', async () => {
    const visitor = await Visitor.arrive(browser, fleet.url);
    await visitor.go(`runs/${map}`);
    await visitor.page
      .getByRole('group', { name: 'each: succeeded' })
      .getByText('10000/10000')
      .waitFor({ timeout: 30_000 });
    expect(await visitor.page.locator('.step-node').count()).toBe(3);
    await visitor.picture('huge-map');
    await visitor.context.close();
  }, 60_000);

  test.each([
    ['history', '.event-list'],
    ['timeline', '.timeline'],
  ])(
    'scrolls through its %s without keeping the page busy',
    async (tab, region) => {
      const visitor = await Visitor.arrive(browser, fleet.url);
      const { page } = visitor;
      await visitor.go(`runs/${map}?tab=${tab}`);
      await page.locator(region).waitFor();
      await page.getByText(/reading…/).waitFor({ state: 'detached', timeout: 30_000 });
      const longestMs = await watchTasks(page);
      await scroll(page, region);
      expect(await longestMs()).toBeLessThan(LONGEST_TASK_MS);
      await visitor.picture(`huge-${tab}`);
      await visitor.context.close();
    },
    60_000,
  );
});
