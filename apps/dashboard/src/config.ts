import { FlotillaError, type Problem } from '@flotilla/contracts';
import { z } from 'zod';

/** Every environment variable that the dashboard reads. docs/reference/configuration.md says the same to users. */
const DAY_MS = 86_400_000;

const wholeNumber = (minimum: number, maximum: number, standard: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum))
    .prefault(String(standard));

const HOST_NAME = /^[A-Za-z0-9.:[\]-]{1,253}$/;

/** Comma separated. */
const hostNamesZ = z
  .string()
  .transform((text) => text.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().toLowerCase()])))
  .pipe(z.array(z.string().regex(HOST_NAME, 'expected host names, separated by commas')).max(100));

export const BASE_PATH = /^(?:\/[A-Za-z0-9._~-]{1,64}){0,8}\/?$/;

/** One field a variable; each takes text. */
export const environmentZ = z.object({
  REDIS_URL: z.string().min(1).prefault('redis://127.0.0.1:6379'),
  FLOTILLA_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .prefault('http://127.0.0.1:7070'),
  FLOTILLA_NAMESPACE: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected 1 to 32 of a-z 0-9 - that begin with a letter')
    .prefault('fl'),
  FLOTILLA_DASHBOARD_HOST: z.string().regex(HOST_NAME, 'expected a host name or an IP address').prefault('127.0.0.1'),
  FLOTILLA_DASHBOARD_PORT: wholeNumber(0, 65_535, 7071),
  FLOTILLA_DASHBOARD_BASE_PATH: z.string().regex(BASE_PATH, 'expected a path such as /flotilla').prefault(''),
  FLOTILLA_DASHBOARD_HOSTS: hostNamesZ.prefault(''),
  FLOTILLA_DASHBOARD_SESSION_MS: wholeNumber(60_000, 30 * DAY_MS, DAY_MS / 2),
  FLOTILLA_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
});

export interface DashboardConfig {
  redisUrl: string;
  /** Of a scheduler's API, without a slash at the end. */
  schedulerUrl: string;
  namespace: string;
  host: string;
  /** 0: any free port. */
  port: number;
  /** Empty, or a path that begins with a slash and does not end with one. */
  basePath: string;
  /** Names by which browsers may reach it besides loopback ones, lower case. Empty: any, unless it listens on loopback. */
  hosts: readonly string[];
  /** How long a login lasts after it was last used. */
  sessionMs: number;
  logLevel: z.infer<typeof environmentZ>['FLOTILLA_LOG_LEVEL'];
}

/** CONFIG_INVALID with one problem for each variable that is wrong; `path` is `/` and the variable's name. */
export function readDashboardConfig(environment: Readonly<Record<string, string | undefined>>): DashboardConfig {
  // A variable that is set to nothing is not set.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentZ.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(toProblem);
    const lines = problems.map((problem) => `  ${problem.path.slice(1)}: ${problem.message}`);
    throw new FlotillaError('CONFIG_INVALID', `The configuration has problems:\n${lines.join('\n')}`, { problems });
  }
  const { data } = parsed;
  return {
    redisUrl: data.REDIS_URL,
    schedulerUrl: data.FLOTILLA_URL.replace(/\/+$/, ''),
    namespace: data.FLOTILLA_NAMESPACE,
    host: data.FLOTILLA_DASHBOARD_HOST,
    port: data.FLOTILLA_DASHBOARD_PORT,
    basePath: data.FLOTILLA_DASHBOARD_BASE_PATH.replace(/\/$/, ''),
    hosts: data.FLOTILLA_DASHBOARD_HOSTS,
    sessionMs: data.FLOTILLA_DASHBOARD_SESSION_MS,
    logLevel: data.FLOTILLA_LOG_LEVEL,
  };
}

function toProblem(issue: z.core.$ZodIssue): Problem {
  return { code: 'ILLEGAL_VALUE', path: `/${String(issue.path[0])}`, message: issue.message };
}
