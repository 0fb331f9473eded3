import type { FastifyRequest } from 'fastify';
import { BASE_PATH } from '../config.ts';

/**
 * Under which path a browser sees the dashboard: what a proxy in front says it has taken off, and the configured path.
 * Empty, or begins with a slash and ends without one. A header that is no plain path is ignored: it goes into a page.
 */
export function basePathOf(request: FastifyRequest, configured: string): string {
  const { 'x-forwarded-prefix': header } = request.headers;
  const prefix = typeof header === 'string' && BASE_PATH.test(header) ? header.replace(/\/$/, '') : '';
  // A proxy that passes the whole path on may say the same path in the header.
  return prefix === configured ? configured : `${prefix}${configured}`;
}

/** Takes the configured path off a request's URL, so that routes do not know it; both forms are served. */
export function withoutBasePath(url: string, configured: string): string {
  if (configured === '' || !url.startsWith(configured)) return url;
  const rest = url.slice(configured.length);
  if (rest === '' || rest.startsWith('?')) return `/${rest}`;
  return rest.startsWith('/') ? rest : url;
}
