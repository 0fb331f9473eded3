import { lookup as systemLookup } from 'node:dns/promises';
import { FlotillaError, type Problem } from '@flotilla/contracts';
import ipaddr from 'ipaddr.js';
import { StepFailure } from '../step-failure.ts';
import { parseUrl } from './parse-url.ts';

/** An address that was checked, to be connected to as it is: asking the name again could give another one. */
export interface CheckedAddress {
  address: string;
  family: 4 | 6;
}

export type Lookup = (hostname: string) => Promise<readonly { address: string }[]>;

/** What may be reached although it is not a public address. */
export interface AllowList {
  /** Lower-case `host` or `host:port`; IPv6 in brackets. */
  hosts: ReadonlySet<string>;
  networks: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];
}

/** Public by range, but answers with secrets of the machine: Azure's wire server. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16']);
/** The only block of IPv6 that is handed out to the public internet. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];

/**
 * Reads `FLOTILLA_HTTP_ALLOW`: a comma list of `host`, `host:port` (IPv6 in brackets) or networks such as `10.1.0.0/16`.
 * @throws FlotillaError `CONFIG_INVALID` with every entry that cannot be read.
 */
export function parseAllowList(text: string | undefined): AllowList {
  const hosts = new Set<string>();
  const networks: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  const problems: Problem[] = [];
  for (const entry of (text ?? '').split(',').map((part) => part.trim().toLowerCase())) {
    if (entry === '') continue;
    if (entry.includes('/')) {
      if (ipaddr.isValidCIDR(entry)) networks.push(ipaddr.parseCIDR(entry));
      else problems.push(badEntry(entry));
    } else {
      const host = hostOfEntry(entry);
      if (host === undefined) problems.push(badEntry(entry));
      else hosts.add(host);
    }
  }
  if (problems.length > 0) {
    throw new FlotillaError('CONFIG_INVALID', problems.map(({ message }) => message).join('; '), { problems });
  }
  return { hosts, networks };
}

/**
 * The addresses of a URL's host, each checked: only public ones, and what the allow-list names, pass. One address that
 * does not pass refuses the host, so that a name with a public and a private address is of no use to an attacker.
 * @throws StepFailure `HTTP_TARGET_REFUSED` (not retryable), or the resolver's own error.
 */
export async function checkTarget(
  url: URL,
  allow: AllowList,
  lookup: Lookup = lookupAll,
): Promise<readonly CheckedAddress[]> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refused(`only http and https URLs can be requested, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') throw refused('a URL with a user name or password is not accepted');
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const hostAllowed = allow.hosts.has(url.hostname) || allow.hosts.has(`${url.hostname}:${port}`);
  // URL has turned decimal, octal and hexadecimal forms of IPv4 into the usual one by now.
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const found = ipaddr.isValid(literal) ? [{ address: literal }] : await lookup(url.hostname);
  if (found.length === 0) throw refused(`${url.hostname} has no address`);
  return found.map(({ address }) => {
    const parsed = ipaddr.parse(address);
    const range = forbiddenRange(parsed);
    if (range !== undefined && !hostAllowed && !inNetworks(parsed, allow.networks)) {
      const which = literal === address ? address : `${url.hostname} (${address})`;
      throw refused(`${which} is not a public address (${range}); FLOTILLA_HTTP_ALLOW can permit it`);
    }
    return { address, family: parsed.kind() === 'ipv4' ? 4 : 6 };
  });
}

/** Why an address is not public, undefined when it is. */
function forbiddenRange(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  if (isIpv4(address)) {
    if (METADATA_ADDRESSES.has(address.toString())) return 'metadata';
    return address.range() === 'unicast' ? undefined : address.range();
  }
  if (address.isIPv4MappedAddress()) return forbiddenRange(address.toIPv4Address());
  if (address.range() !== 'unicast') return address.range();
  // IPv4-compatible, ISATAP and the like: outside of what the public internet uses.
  return address.match(GLOBAL_UNICAST) ? undefined : 'not global unicast';
}

function inNetworks(address: ipaddr.IPv4 | ipaddr.IPv6, networks: AllowList['networks']): boolean {
  const plain = !isIpv4(address) && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
  return networks.some(([network, bits]) => plain.kind() === network.kind() && plain.match([network, bits] as never));
}

function isIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): address is ipaddr.IPv4 {
  return address.kind() === 'ipv4';
}

/** The host as URL writes it, with its port when one was given; undefined when it is neither. */
function hostOfEntry(entry: string): string | undefined {
  const url = parseUrl(`http://${entry}/`);
  if (url === null || url.username !== '' || url.pathname !== '/' || url.hostname === '') return undefined;
  const port = /:(\d{1,5})$/.exec(entry)?.[1];
  return port === undefined ? url.hostname : `${url.hostname}:${Number(port)}`;
}

function lookupAll(hostname: string): Promise<readonly { address: string }[]> {
  return systemLookup(hostname, { all: true });
}

function badEntry(entry: string): Problem {
  const message = `FLOTILLA_HTTP_ALLOW: ${JSON.stringify(entry.slice(0, 100))} is not a host, host:port or network`;
  return { code: 'CONFIG_INVALID', path: '/FLOTILLA_HTTP_ALLOW', message };
}

function refused(message: string): StepFailure {
  return new StepFailure(message, { code: 'HTTP_TARGET_REFUSED', retryable: false });
}
