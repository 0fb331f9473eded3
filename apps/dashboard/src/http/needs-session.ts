import { isLoopbackHost } from '@flotilla/contracts';
import type { DashboardConfig } from '../config.ts';

/**
 * Whether a browser without a login is refused here already. On loopback the scheduler decides: without keys it takes
 * everybody. Where other machines can reach the dashboard nobody gets through without a key, whatever the scheduler says.
 */
export function needsSession({ host, hosts }: DashboardConfig): boolean {
  return !isLoopbackHost(host) || hosts.length > 0;
}
