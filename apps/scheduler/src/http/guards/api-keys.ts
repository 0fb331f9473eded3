import { createHash, timingSafeEqual } from 'node:crypto';
import { FlotillaError, parseApiKey, type Scope } from '@flotilla/contracts';
import type { FastifyRequest } from 'fastify';

/**
 * Gives the check of `Authorization: Bearer <key>`, which answers what the key may do; UNAUTHORIZED. Keys are kept and
 * compared as hashes only.
 */
export function createKeyCheck(apiKeys: readonly string[]): (request: FastifyRequest) => readonly Scope[] {
  const known = apiKeys.map(parseApiKey).map(({ secret, scopes }) => ({ hash: digest(secret), scopes }));
  return (request) => {
    const given = /^Bearer +(\S{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) throw new FlotillaError('UNAUTHORIZED', 'send an API key: Authorization: Bearer <key>');
    const givenHash = digest(given);
    let found: readonly Scope[] | undefined;
    // Every key is compared, whichever matches.
    for (const { hash, scopes } of known) found = timingSafeEqual(hash, givenHash) ? scopes : found;
    if (found === undefined) throw new FlotillaError('UNAUTHORIZED', 'the API key is not valid');
    return found;
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
