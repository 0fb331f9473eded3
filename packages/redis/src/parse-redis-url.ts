import { isIPv6 } from 'node:net';
import { FlotillaError, type Problem } from '@flotilla/contracts';

interface HostAndPort {
  host: string;
  port: number;
}

interface TargetCommon {
  /** TLS to the servers, and to the sentinels. */
  tls: boolean;
  username?: string;
  password?: string;
}

/** Where Redis is, as said by a URL. Holds secrets: print `describeTarget`, never this. */
export type RedisTarget =
  | (TargetCommon & { kind: 'standalone'; server: HostAndPort; database: number })
  | (TargetCommon & {
      kind: 'sentinel';
      sentinels: HostAndPort[];
      masterName: string;
      database: number;
      sentinelUsername?: string;
      sentinelPassword?: string;
    })
  | (TargetCommon & { kind: 'cluster'; nodes: HostAndPort[] });

const SCHEMES: Readonly<Record<string, { kind: RedisTarget['kind']; tls: boolean; defaultPort: number }>> = {
  redis: { kind: 'standalone', tls: false, defaultPort: 6379 },
  rediss: { kind: 'standalone', tls: true, defaultPort: 6379 },
  'redis+sentinel': { kind: 'sentinel', tls: false, defaultPort: 26379 },
  'rediss+sentinel': { kind: 'sentinel', tls: true, defaultPort: 26379 },
  'redis+cluster': { kind: 'cluster', tls: false, defaultPort: 6379 },
  'rediss+cluster': { kind: 'cluster', tls: true, defaultPort: 6379 },
};

const HOST_NAME = /^[A-Za-z0-9._-]{1,253}$/;
const MASTER_NAME = /^[A-Za-z0-9._-]{1,128}$/;
const HIGHEST_DATABASE = 65_535;

/**
 * Reads a Redis URL:
 * `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS,
 * `redis+sentinel://[user:password@]host[:port],…/master-name[/database][?sentinelUsername=…&sentinelPassword=…]`,
 * `redis+cluster://[user:password@]host[:port],…`; user and password are percent-encoded.
 *
 * @throws FlotillaError REDIS_URL_INVALID with all problems. Neither the message nor a problem quotes the URL, because
 * a wrongly written URL can have the password in any place.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const problems: string[] = [];
  const target = readTarget(url, problems);
  if (problems.length > 0 || target === undefined) throw invalidUrl(problems);
  return target;
}

/** The target without user, password or anything else secret, such as `redis://127.0.0.1:6379/0`. */
export function describeTarget(target: RedisTarget): string {
  const scheme = target.tls ? 'rediss' : 'redis';
  switch (target.kind) {
    case 'standalone':
      return `${scheme}://${hostText(target.server)}/${target.database}`;
    case 'sentinel':
      return `${scheme}+sentinel://${target.sentinels.map(hostText).join(',')}/${target.masterName}/${target.database}`;
    case 'cluster':
      return `${scheme}+cluster://${target.nodes.map(hostText).join(',')}`;
  }
}

function hostText({ host, port }: HostAndPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function invalidUrl(messages: readonly string[]): FlotillaError {
  const problems: Problem[] = messages.map((message) => ({ code: 'REDIS_URL_INVALID', path: '', message }));
  return new FlotillaError('REDIS_URL_INVALID', `The Redis URL cannot be used: ${messages.join('; ')}`, { problems });
}

function readTarget(url: string, problems: string[]): RedisTarget | undefined {
  if (url === '') {
    problems.push('it is empty');
    return undefined;
  }
  if (/[\s\p{Cc}]/u.test(url)) problems.push('it contains white space or control characters');
  const schemeEnd = url.indexOf('://');
  const scheme = schemeEnd < 0 ? undefined : SCHEMES[url.slice(0, schemeEnd).toLowerCase()];
  if (scheme === undefined) {
    problems.push(
      `it must start with one of ${Object.keys(SCHEMES)
        .map((name) => `${name}://`)
        .join(', ')}`,
    );
    return undefined;
  }
  const rest = url.slice(schemeEnd + 3);
  const [beforeQuery, query] = splitOnce(rest, '?');
  const [authority, path] = splitOnce(beforeQuery, '/');
  if (rest.includes('#')) problems.push('it has a # part');
  if (path?.includes('@') || query?.includes('@')) {
    problems.push('there is an @ after the hosts: in a password, /, ?, # and @ must be percent-encoded');
  }

  const credentials = readCredentials(authority, problems);
  const hosts = readHosts(authority.slice(authority.lastIndexOf('@') + 1), scheme.defaultPort, problems);
  const secrets = readQuery(query, scheme.kind, problems);
  const common = { tls: scheme.tls, ...credentials };
  const segments = (path ?? '').split('/').filter((segment, index, all) => segment !== '' || index < all.length - 1);

  switch (scheme.kind) {
    case 'standalone': {
      if (hosts.length > 1) problems.push('several hosts need redis+sentinel:// or redis+cluster://');
      if (segments.length > 1) problems.push('after the host there may be a database number only');
      const server = hosts[0];
      const database = readDatabase(segments[0], problems);
      return server && { kind: 'standalone', ...common, server, database };
    }
    case 'sentinel': {
      const [masterName = '', database] = segments;
      if (!MASTER_NAME.test(masterName))
        problems.push('the name of the master is missing or malformed after the hosts');
      if (segments.length > 2) problems.push('after the hosts there may be a master name and a database number only');
      return {
        kind: 'sentinel',
        ...common,
        ...secrets,
        sentinels: hosts,
        masterName,
        database: readDatabase(database, problems),
      };
    }
    case 'cluster': {
      if (segments.length > 1) problems.push('after the hosts there may be the database number 0 only');
      if (readDatabase(segments[0], problems) !== 0) problems.push('a Redis Cluster has the database 0 only');
      return { kind: 'cluster', ...common, nodes: hosts };
    }
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function readCredentials(authority: string, problems: string[]): { username?: string; password?: string } {
  const at = authority.lastIndexOf('@');
  if (at < 0) return {};
  const [rawUser, rawPassword] = splitOnce(authority.slice(0, at), ':');
  const username = decode(rawUser, 'the user name', problems);
  const password = decode(rawPassword ?? '', 'the password', problems);
  if (rawUser.includes('@') || rawPassword?.includes('@')) {
    problems.push('an @ in the user name or password must be percent-encoded (%40)');
  }
  if (password === '')
    problems.push('there is an @ but no password before it (the default user is written :password@)');
  return { ...(username === '' ? {} : { username }), password };
}

function decode(text: string, what: string, problems: string[]): string {
  try {
    return decodeURIComponent(text);
  } catch {
    problems.push(`${what} has a % that is not followed by two hexadecimal digits of UTF-8`);
    return text;
  }
}

function readHosts(text: string, defaultPort: number, problems: string[]): HostAndPort[] {
  const hosts: HostAndPort[] = [];
  const parts = text.split(',');
  for (const [index, part] of parts.entries()) {
    const which = parts.length === 1 ? 'the host' : `host ${index + 1}`;
    const match = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/s.exec(part);
    const [, address, name, portText] = match ?? [];
    if (match !== null && (address ?? name) === '') problems.push(`${which} is missing`);
    else if (!(address === undefined ? HOST_NAME.test(name ?? '') : isIPv6(address))) {
      problems.push(`${which} is not a host name or address (an IPv6 address stands in brackets)`);
    }
    const port = readPort(portText, defaultPort);
    if (port === undefined) problems.push(`${which} has a port that is not a number from 1 to 65535`);
    hosts.push({ host: address ?? name ?? '', port: port ?? defaultPort });
  }
  return hosts;
}

function readPort(text: string | undefined, defaultPort: number): number | undefined {
  if (text === undefined) return defaultPort;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function readDatabase(text: string | undefined, problems: string[]): number {
  if (text === undefined) return 0;
  const database = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (database <= HIGHEST_DATABASE) return database;
  problems.push('the database is not a whole number from 0');
  return 0;
}

function readQuery(
  query: string | undefined,
  kind: RedisTarget['kind'],
  problems: string[],
): { sentinelUsername?: string; sentinelPassword?: string } {
  const secrets: { sentinelUsername?: string; sentinelPassword?: string } = {};
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (kind === 'sentinel' && (name === 'sentinelUsername' || name === 'sentinelPassword')) secrets[name] = value;
    else {
      problems.push(
        kind === 'sentinel'
          ? 'the only parameters after ? are sentinelUsername and sentinelPassword'
          : 'this form takes no parameters after ?',
      );
    }
  }
  return secrets;
}
