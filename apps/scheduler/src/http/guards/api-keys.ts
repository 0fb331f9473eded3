import { createHash, timingSafeEqual } from 'node:crypto';
import { FlotillaError } from '@flotilla/contracts';
import type { FastifyRequest } from 'fastify';

/** Gives the check of `Authorization: Bearer <key>`; UNAUTHORIZED. Keys are kept and compared as hashes only. */
export function createKeyCheck(apiKeys: readonly string[]): (request: FastifyRequest) => void {
  const known = apiKeys.map(digest);
  return (request) => {
    const given = /^Bearer +(\S{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) throw new FlotillaError('UNAUTHORIZED', 'send an API key: Authorization: Bearer <key>');
    const hash = digest(given);
    let valid = false;
    for (const key of known) valid = timingSafeEqual(key, hash) || valid; // every key is compared, whichever matches
    if (!valid) throw new FlotillaError('UNAUTHORIZED', 'the API key is not valid');
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
