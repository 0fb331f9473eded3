import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser, Visitor } from './browser.ts';
import { DashboardFleet } from './dashboard-fleet.ts';

let fleet: DashboardFleet;
let browser: Browser;
let visitor: Visitor;

beforeAll(async () => {
  [fleet, browser] = await Promise.all([DashboardFleet.start(import.meta.url), launchBrowser()]);
  await fleet.registerAll();
}, 120_000);
beforeEach(async () => {
  visitor = await Visitor.arrive(browser, fleet.url);
});
afterEach(async () => {
  expect(visitor.problems).toEqual([]);
  await visitor.context.close();
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

describe('on the runs page', () => {
  test('a run is found by its tag, and the address keeps the filter over back and forward', async () => {
    const { page } = visitor;
    const wanted = await fleet.run('invoice', { customer: 'Ada', amount: 1 }, ['for-ada']);
    await fleet.run('invoice', { customer: 'Bo', amount: 2 });
    await visitor.go('runs');
    await page.getByLabel('Tag').fill('for-ada');
    await page.keyboard.press('Enter');
    await page.waitForURL(/tag=for-ada/);
    await page.getByRole('link', { name: wanted }).waitFor();
    expect(await page.getByRole('row').count()).toBe(2);
    await page.getByRole('link', { name: wanted }).click();
    await page.getByRole('heading', { name: /invoice/ }).waitFor();
    await page.goBack();
    await page.waitForURL(/tag=for-ada/);
    await page.getByRole('link', { name: wanted }).waitFor();
  });

  test('j and o open a run by keyboard, and / goes to the filter', async () => {
    const { page } = visitor;
    const runId = await fleet.run('invoice', { customer: 'Cy', amount: 3 }, ['by-keyboard']);
    await visitor.go('runs?tag=by-keyboard');
    await page.getByRole('link', { name: runId }).waitFor();
    await page.getByRole('region', { name: 'Runs' }).focus();
    await page.keyboard.press('j');
    await page.keyboard.press('o');
    await page.waitForURL(new RegExp(`runs/${runId}`));
    await page.goBack();
    await page.getByRole('link', { name: runId }).waitFor();
    await page.keyboard.press('/');
    expect(await page.locator('*:focus').getAttribute('type')).toBe('search');
  });

  test('a run that comes later waits behind a bar: no row moves by itself', async () => {
    const { page } = visitor;
    const first = await fleet.run('invoice', { customer: 'Di', amount: 4 }, ['arrivals']);
    await visitor.go('runs?tag=arrivals');
    await page.getByRole('link', { name: first }).waitFor();
    const second = await fleet.run('invoice', { customer: 'Ed', amount: 5 }, ['arrivals']);
    await page.getByRole('button', { name: '1 new run: show' }).waitFor();
    expect(await page.getByRole('link', { name: second }).count()).toBe(0);
    await page.getByRole('button', { name: '1 new run: show' }).click();
    await page.getByRole('link', { name: second }).waitFor();
  });
});

describe("on a run's page", () => {
  test('a step goes from running to green without loading the page again', async () => {
    const { page } = visitor;
    const file = await fleet.gateFile('opens');
    const runId = await fleet.run('gated', { file });
    await visitor.go(`runs/${runId}`);
    await page.getByRole('group', { name: 'gate: running' }).waitFor();
    await page.getByRole('group', { name: 'after: waiting' }).waitFor();
    await writeFile(file, 'go');
    await page.getByRole('group', { name: 'gate: succeeded' }).waitFor();
    await page.getByRole('group', { name: 'after: succeeded' }).waitFor();
    await page.getByRole('heading', { name: /succeeded/ }).waitFor();
  });

  test('a step goes red, and its panel says why', async () => {
    const { page } = visitor;
    const file = await fleet.gateFile('stays-shut');
    const runId = await fleet.run('gated', { file });
    await visitor.go(`runs/${runId}`);
    await page.getByRole('group', { name: 'gate: running' }).waitFor();
    await writeFile(file, 'NO_ENTRY');
    await page.getByRole('group', { name: 'gate: failed' }).click();
    const panel = page.getByRole('complementary', { name: 'Step gate' });
    await panel.getByText('the gate stayed shut').first().waitFor();
    expect(page.url()).toMatch(/step=gate/);
  });

  test('n goes to the step that failed', async () => {
    const { page } = visitor;
    const runId = await fleet.run('checkout', { allowedIn: await fleet.gateFile('never') });
    await visitor.go(`runs/${runId}`);
    await page.getByRole('group', { name: 'charge: failed' }).waitFor();
    await page.keyboard.press('n');
    await page.getByRole('complementary', { name: 'Step charge' }).waitFor();
  });

  test('a run is cancelled after a second question, and its page shows that', async () => {
    const { page } = visitor;
    const runId = await fleet.run('long-haul');
    await visitor.go(`runs/${runId}`);
    await page.getByText(/until/).first().waitFor();
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page
      .getByRole('dialog')
      .getByLabel(/Reason/)
      .fill('not needed any more');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
    await page.getByRole('heading', { name: /cancelled/ }).waitFor();
    const { message } = (
      await fleet.fleet.api.request<{ events: { type: string; data?: { message?: string } }[] }>(
        'GET',
        `/v1/runs/${runId}/history`,
      )
    ).body.events.find(({ type }) => type === 'cancel-requested')!.data!;
    expect(message).toBe('not needed any more');
  });

  test('a run is paused and resumed', async () => {
    const { page } = visitor;
    const file = await fleet.gateFile('paused');
    const runId = await fleet.run('gated', { file });
    await visitor.go(`runs/${runId}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await writeFile(file, 'go');
    await page.getByRole('heading', { name: /succeeded/ }).waitFor();
  });

  test('a failed run is retried from a step of choice', async () => {
    const { page } = visitor;
    const allowedIn = await fleet.gateFile('card');
    const runId = await fleet.run('checkout', { allowedIn });
    await visitor.go(`runs/${runId}?step=charge`);
    await page.getByRole('heading', { name: /failed/ }).waitFor();
    await writeFile(allowedIn, 'yes');
    await page.getByRole('button', { name: 'Retry from this step…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('heading', { name: /succeeded/ }).waitFor();
    await page.getByRole('group', { name: 'ship: succeeded' }).waitFor();
  });

  test('a dashboard that is killed and started again catches up by itself', async () => {
    const { page } = visitor;
    const file = await fleet.gateFile('while-away');
    const runId = await fleet.run('gated', { file });
    await visitor.go(`runs/${runId}`);
    await page.getByRole('group', { name: 'gate: running' }).waitFor();
    const restarting = fleet.restartDashboard();
    await writeFile(file, 'go');
    await restarting;
    await page.getByRole('group', { name: 'after: succeeded' }).waitFor();
    visitor.problems.length = 0; // what could not be reached meanwhile
  }, 60_000);
});

describe('dead letters', () => {
  test('are redriven, and their runs go on to the end', async () => {
    const { page } = visitor;
    const allowedIn = await fleet.gateFile('redrive');
    const runId = await fleet.run('checkout', { allowedIn });
    await visitor.go('dead-letters?errorCode=CARD_REFUSED');
    await page.getByRole('checkbox', { name: new RegExp(runId) }).check();
    await writeFile(allowedIn, 'yes');
    await page.getByRole('button', { name: 'Redrive 1 selected…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('1 dead letter redriven.').waitFor();
    await visitor.go(`runs/${runId}`);
    await page.getByRole('heading', { name: /succeeded/ }).waitFor();
  });
});

describe('a workflow', () => {
  test('is started with the form made from its input schema, whose problems are shown in it', async () => {
    const { page } = visitor;
    await visitor.go('workflows/invoice');
    await page.getByRole('button', { name: 'Start a run…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Customer').fill('Fay');
    await dialog.getByLabel(/amount/).fill('12.5');
    await dialog.getByLabel(/Tags/).fill('from-the-form');
    await dialog.getByRole('button', { name: 'Start', exact: true }).click();
    await page.waitForURL(/runs\//);
    await page.getByRole('heading', { name: /succeeded/ }).waitFor();
    await page.getByRole('tab', { name: 'Input and output' }).click();
    await page.getByText('"customer": "Fay"').waitFor();
  });
});

describe('a breaker', () => {
  test('that is open says so on the page of the run that waits for it, and is closed by hand', async () => {
    const { page } = visitor;
    const runIds = await Promise.all(Array.from({ length: 8 }, () => fleet.run('partner-sync')));
    await visitor.go(`runs/${runIds[0]}`);
    await page
      .getByRole('region', { name: 'What the run waits for' })
      .getByText(/breaker open/)
      .waitFor();
    await page.getByRole('link', { name: 'Breaker partner-api' }).click();
    await page.getByText(/partner-api is open/).waitFor();
    await page.getByRole('button', { name: 'Close…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Close it' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    for (const runId of runIds) await fleet.post(`/v1/runs/${runId}/cancel?waitMs=0`, {});
  });
});
