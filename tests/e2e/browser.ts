import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

/** Debian's browser, which `.ci/run` installs. Playwright's own would be downloaded by a script of its package. */
const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];
/** Where pictures are kept, to be looked at. */
const PICTURES = resolve(import.meta.dirname, '../../.flotilla/screenshots');

export type Theme = 'light' | 'dark';

export interface OpenPageOptions {
  theme?: Theme;
  width?: number;
  height?: number;
}

/** @throws Error that says how to get a browser, where there is none */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = [process.env['FLOTILLA_CHROMIUM'] ?? '', ...PATHS].find(
    (path) => path !== '' && existsSync(path),
  );
  if (executablePath === undefined) {
    throw new Error('no Chromium: install it (apt-get install chromium), or name one in FLOTILLA_CHROMIUM');
  }
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** A page of a browser profile of its own, and what went wrong on it: errors, refused content, requests to elsewhere. */
export class Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly problems: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
  }

  static async arrive(browser: Browser, url: string, options: OpenPageOptions = {}): Promise<Visitor> {
    const { theme = 'light', width = 1440, height = 900 } = options;
    const context = await browser.newContext({ baseURL: url, colorScheme: theme, viewport: { width, height } });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const visitor = new Visitor(context, page);
    const { origin } = new URL(url);
    page.on('pageerror', (error) => visitor.problems.push(error.message));
    page.on('console', (message) => {
      // A browser logs each answer of 400 and more; pages show what they mean.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
        visitor.problems.push(message.text());
      }
    });
    context.on('request', (request) => {
      const isOwn = [origin, 'data:', 'blob:'].some((start) => request.url().startsWith(start));
      if (!isOwn) visitor.problems.push(`a request to ${request.url()}`);
    });
    return visitor;
  }

  async go(path: string): Promise<void> {
    await this.page.goto(path, { waitUntil: 'domcontentloaded' });
    await this.page.locator('main').waitFor();
  }

  /** Keeps a picture of the page. */
  async picture(name: string): Promise<void> {
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }
}
