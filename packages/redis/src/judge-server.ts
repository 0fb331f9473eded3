import type { Problem } from '@flotilla/contracts';
import type { ServerFacts } from './server-facts.ts';

const OLDEST_MAJOR_VERSION = 7;

/** What is wrong with a server for keeping durable state: everything at once. Warnings do not refuse it. */
export function judgeServer(facts: ServerFacts, { allowVolatile }: { allowVolatile: boolean }): Problem[] {
  const problems: Problem[] = [];
  const add = (severity: 'error' | 'warning', code: string, message: string): void => {
    problems.push({ code, path: `/${facts.address}`, message: `Redis at ${facts.address} ${message}`, severity });
  };
  const unverified = (what: string): void => {
    add('warning', 'REDIS_UNVERIFIED', `does not tell ${what}: allow INFO or CONFIG GET, or make sure of it yourself`);
  };

  if (facts.version === undefined) unverified('its version (7.0 or later is needed)');
  else if (!(Number.parseInt(facts.version, 10) >= OLDEST_MAJOR_VERSION)) {
    add('error', 'REDIS_TOO_OLD', `is version ${facts.version}; 7.0 or later is needed`);
  }

  if (facts.role === 'slave')
    add('error', 'REDIS_IS_REPLICA', 'is a replica; connect to the master, or through Sentinel');

  if (facts.maxmemoryPolicy === undefined) unverified('its maxmemory-policy (noeviction is needed)');
  else if (facts.maxmemoryPolicy !== 'noeviction') {
    add(
      'error',
      'REDIS_EVICTS',
      `has maxmemory-policy ${facts.maxmemoryPolicy}; set it to noeviction, or runs get lost`,
    );
  }
  if (facts.evictedKeys !== undefined && facts.evictedKeys > 0) {
    add('warning', 'REDIS_HAS_EVICTED', `has evicted ${facts.evictedKeys} keys since it started; runs may be damaged`);
  }

  if (facts.appendOnly === undefined) unverified('whether AOF is on (appendonly yes is needed)');
  else if (!facts.appendOnly) {
    add(
      allowVolatile ? 'warning' : 'error',
      'REDIS_VOLATILE',
      'has AOF off and forgets everything when it restarts; set appendonly yes, or allow volatile storage explicitly',
    );
  } else if (facts.appendFsync === 'no') {
    add('warning', 'REDIS_FSYNC_UNBOUNDED', 'has appendfsync no: a power failure may lose more than the last second');
  }
  return problems;
}
