import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { basePathOf } from './base-path.ts';
import type { DashboardContext } from './dashboard-context.ts';

/** {src,dist}/http/pages.* is two folders below the app. */
const PAGES_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'pages');
const A_YEAR_S = 31_536_000;
const NOT_BUILT = 'The pages have not been built. Run: npx pnpm build\n';

/**
 * The pages and their assets. Every path that is nothing else is a page: which one, the script in it decides. They are
 * read anew for each request, so that a build under a running dashboard is served whole.
 */
export async function registerPages(app: FastifyInstance, { config }: DashboardContext): Promise<void> {
  const assets = join(PAGES_FOLDER, 'assets');
  // Pages that are built later are found, too.
  mkdirSync(assets, { recursive: true });
  await app.register(fastifyStatic, {
    root: assets,
    prefix: '/assets/',
    // The names of assets have their hash in them.
    cacheControl: true,
    maxAge: A_YEAR_S * 1000,
    immutable: true,
  });
  const sendPage = async (request: FastifyRequest, reply: FastifyReply) => {
    const template = await readIfThere(join(PAGES_FOLDER, 'index.html'));
    if (template === undefined) return reply.code(503).type('text/plain; charset=utf-8').send(NOT_BUILT);
    return reply
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-cache')
      .send(template.replace('<head>', `<head>\n    <base href="${basePathOf(request, config.basePath)}/" />`));
  };
  app.get('/', sendPage);
  app.setNotFoundHandler(async (request, reply) => {
    const isPage = request.method === 'GET' && !request.url.startsWith('/assets/');
    if (isPage) return sendPage(request, reply);
    return reply.code(404).type('text/plain; charset=utf-8').send('There is nothing here.\n');
  });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
