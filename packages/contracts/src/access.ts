import { z } from 'zod';

/**
 * What a key may do. `read`: lists, runs, history, without what runs carry. `payloads`: inputs, outputs and logs as well.
 * `submit`: start runs and register workflows. `operate`: cancel, pause, retry, redrive, open breakers.
 */
export const SCOPES = ['read', 'payloads', 'submit', 'operate'] as const;
export type Scope = (typeof SCOPES)[number];

/** What the caller may do. */
export const accessZ = z.object({ scopes: z.array(z.enum(SCOPES)) });
export type Access = z.infer<typeof accessZ>;

export interface ApiKey {
  secret: string;
  scopes: readonly Scope[];
}

const SCOPED_KEY = new RegExp(`^((?:${SCOPES.join('|')})(?:\\+(?:${SCOPES.join('|')}))*):(.+)$`);

/** `read+payloads:SECRET`, or a secret alone, which may do everything. */
export function parseApiKey(text: string): ApiKey {
  const [, scopes, secret] = SCOPED_KEY.exec(text) ?? [];
  if (scopes === undefined || secret === undefined) return { secret: text, scopes: SCOPES };
  return { secret, scopes: SCOPES.filter((scope) => scopes.split('+').includes(scope)) };
}
