const LOOPBACK_IPV4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** True for addresses that only this machine can reach. */
export function isLoopbackHost(host: string): boolean {
  const [, inBrackets] = /^\[(.*)\]$/.exec(host) ?? [];
  if (inBrackets !== undefined) return inBrackets === '::1';
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || LOOPBACK_IPV4.test(name);
}

/**
 * The host of a whole Host header: `host`, `host:port`, `[address]` or `[address]:port`; brackets stay. Undefined when it is
 * anything else: what follows the brackets would be part of a name, too.
 */
export function hostOfHeader(header: string): string | undefined {
  return /^(\[[^[\]]+\]|[^[\]:]+)(?::\d{1,5})?$/.exec(header)?.[1];
}
