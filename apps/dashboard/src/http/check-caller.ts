import { FlotillaError, hostOfHeader, isLoopbackHost } from '@flotilla/contracts';
import type { FastifyRequest } from 'fastify';
import type { DashboardConfig } from '../config.ts';

/** A header that no form and no simple request of another site can send. */
const INTENT_HEADER = 'x-flotilla-dashboard';
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Closes the door to other sites in the same browser: names that are pointed at this machine (DNS rebinding), requests
 * with a user's cookie from foreign pages (CSRF), and frames. HOST_REFUSED, FORBIDDEN.
 */
export function checkCaller(request: FastifyRequest, { host: boundTo, hosts }: DashboardConfig): void {
  const { host, origin } = request.headers;
  const isKnown = (name: string) => hosts.includes(name) || isLoopbackHost(name);
  const name = host === undefined ? undefined : hostOfHeader(host)?.toLowerCase();
  const isClosed = hosts.length > 0 || isLoopbackHost(boundTo);
  if (name === undefined || (isClosed && !isKnown(name))) {
    throw new FlotillaError(
      'HOST_REFUSED',
      'this dashboard is not served under that name; see FLOTILLA_DASHBOARD_HOSTS',
    );
  }
  if (origin !== undefined && !isOwnOrigin(origin, host, hosts)) {
    throw new FlotillaError('FORBIDDEN', 'requests from pages of other sites are not accepted');
  }
  const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && READS.has(request.method);
  const site = request.headers['sec-fetch-site'];
  // A link from elsewhere may open a page; it may not read or do anything.
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) {
    throw new FlotillaError('FORBIDDEN', 'requests from pages of other sites are not accepted');
  }
  if (!READS.has(request.method) && request.headers[INTENT_HEADER] === undefined) {
    throw new FlotillaError('FORBIDDEN', `a request that changes something needs the header ${INTENT_HEADER}`);
  }
}

/** The same name and port as asked for, or a name that a proxy in front is known by. */
function isOwnOrigin(origin: string, host: string | undefined, hosts: readonly string[]): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.host === host?.toLowerCase() || hosts.includes(url.hostname);
}
