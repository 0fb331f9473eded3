import type { Handler } from '../define-step.ts';
import { parseAllowList } from './address-guard.ts';
import { echo } from './echo.ts';
import { fail } from './fail.ts';
import { createHttpHandler } from './http.ts';
import { sleep } from './sleep.ts';

export interface BuiltInOptions {
  /** Hosts, hosts with port and networks that http steps may reach though they are not public. Default `FLOTILLA_HTTP_ALLOW`. */
  httpAllow?: string | undefined;
}

/**
 * The handlers that every worker has: `flotilla.echo`, `flotilla.sleep`, `flotilla.fail`, `flotilla.http`.
 * @throws FlotillaError `CONFIG_INVALID` when the allow-list cannot be read.
 */
export function builtInHandlers({ httpAllow = process.env['FLOTILLA_HTTP_ALLOW'] }: BuiltInOptions = {}): Handler[] {
  return [echo, sleep, fail, createHttpHandler({ allow: parseAllowList(httpAllow), nowMs: Date.now })];
}
