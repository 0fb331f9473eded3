import { FlotillaError, type Scope } from '@flotilla/contracts';
import type { FastifyRequest } from 'fastify';

/** Anybody with a valid key may ask what it is good for. */
const FREE_ROUTES: ReadonlySet<string> = new Set(['/v1/access']);
const SUBMITTING_ROUTES: ReadonlySet<string> = new Set(['/v1/workflows', '/v1/validate', '/v1/runs', '/v1/runs/batch']);
/** What users' code has written, word for word. */
const PAYLOAD_ROUTES = /\/logs$/;
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** FORBIDDEN when the caller's key lacks the scope that the route asks for. */
export function requireScope(request: FastifyRequest, granted: readonly Scope[]): void {
  const needed = scopeOf(request.method, request.routeOptions.url);
  if (needed === undefined || granted.includes(needed)) return;
  throw new FlotillaError('FORBIDDEN', `this needs a key with the scope "${needed}"`);
}

/** A route that nobody has thought about here needs `read` for reading and `operate` for anything else. */
function scopeOf(method: string, route = ''): Scope | undefined {
  if (FREE_ROUTES.has(route)) return undefined;
  if (READS.has(method)) return PAYLOAD_ROUTES.test(route) ? 'payloads' : 'read';
  return SUBMITTING_ROUTES.has(route) ? 'submit' : 'operate';
}
