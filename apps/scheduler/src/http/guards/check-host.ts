import { FlotillaError, hostOfHeader, isLoopbackHost } from '@flotilla/contracts';
import type { FastifyRequest } from 'fastify';

/**
 * Keeps web pages away from a server that is bound to the loopback address, which needs no key: a page can point its own
 * host name at 127.0.0.1 (DNS rebinding), or send simple requests there. Such requests tell on themselves by their Host
 * or Origin. HOST_REFUSED, FORBIDDEN.
 */
export function checkHost(request: FastifyRequest): void {
  const { host, origin } = request.headers;
  const name = host === undefined ? undefined : hostOfHeader(host);
  if (name === undefined || !isLoopbackHost(name)) {
    throw new FlotillaError('HOST_REFUSED', 'this server answers to localhost, 127.0.0.1 and [::1] only');
  }
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    throw new FlotillaError('FORBIDDEN', 'requests from web pages of other hosts are not accepted');
  }
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopbackHost(new URL(origin).hostname);
}
