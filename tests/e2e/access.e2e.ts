import type { Scope } from '@flotilla/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchBrowser, Visitor } from './browser.ts';
import { DashboardFleet } from './dashboard-fleet.ts';

const FULL = 'full-key-of-the-tests';
const KEYS: Record<string, readonly Scope[]> = {
  'reader-key-of-the-tests': ['read'],
  'viewer-key-of-the-tests': ['read', 'payloads'],
  'oncall-key-of-the-tests': ['read', 'operate'],
  'sender-key-of-the-tests': ['read', 'submit'],
};
const CANARY = 'canary-7f3a91';

let fleet: DashboardFleet;
let browser: Browser;
let visitor: Visitor;
let runId: string;

beforeAll(async () => {
  const scoped = Object.entries(KEYS).map(([key, scopes]) => `${scopes.join('+')}:${key}`);
  [fleet, browser] = await Promise.all([
    DashboardFleet.start(import.meta.url, { FLOTILLA_API_KEYS: [FULL, ...scoped].join(',') }, FULL),
    launchBrowser(),
  ]);
  await fleet.registerAll();
  runId = await fleet.run('long-haul', { note: CANARY });
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

async function logIn(key: string): Promise<void> {
  const { page } = visitor;
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Log in' }).click();
}

describe('a browser without a login', () => {
  test('is asked for a key on every page, and a wrong one is told so', async () => {
    const { page } = visitor;
    for (const path of ['', 'runs', `runs/${runId}`, 'settings']) {
      await visitor.go(path);
      await page.getByRole('heading', { name: 'Log in' }).waitFor();
    }
    await logIn('a-key-that-nobody-has');
    await page
      .getByRole('alert')
      .getByText(/does not take this key/)
      .waitFor();
  });

  test('is sent to the login by the Bull dashboard', async () => {
    await visitor.page.goto('queues/');
    await visitor.page.waitForURL(/login\?next=queues/);
  });
});

describe.each(Object.entries(KEYS))('with %s', (key, scopes) => {
  test(`a browser may do what ${scopes.join(' and ')} allow, and nothing else`, async () => {
    const { page } = visitor;
    await visitor.go(`runs/${runId}?tab=payloads`);
    await logIn(key);
    await page.getByRole('heading', { name: /long-haul/ }).waitFor();
    const seesPayload = page.getByText(CANARY);
    if (scopes.includes('payloads')) await seesPayload.waitFor();
    else {
      await page
        .getByText(/may not see what runs carry/)
        .first()
        .waitFor();
      expect(await page.content()).not.toContain(CANARY);
    }
    expect(await page.getByRole('button', { name: 'Cancel…' }).count()).toBe(scopes.includes('operate') ? 1 : 0);
    await visitor.go('workflows/invoice');
    await page.getByRole('heading', { name: 'Definition' }).waitFor();
    expect(await page.getByRole('button', { name: 'Start a run…' }).count()).toBe(scopes.includes('submit') ? 1 : 0);
    const refused = await page.evaluate(async (id) => {
      const answer = await fetch(`v1/runs/${id}/pause`, { method: 'POST', headers: { 'x-flotilla-dashboard': '1' } });
      return answer.status;
    }, runId);
    expect(refused).toBe(scopes.includes('operate') ? 200 : 403);
  });
});

test('the key is in no address, no storage and no page, and the logout ends the session', async () => {
  const { page, context } = visitor;
  await visitor.go('');
  await logIn(FULL);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const kept = await page.evaluate<string>(
    'JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie])',
  );
  expect(kept + (await page.content())).not.toContain(FULL);
  const [cookie] = await context.cookies();
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
  expect(cookie?.value).not.toContain(FULL);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
});
