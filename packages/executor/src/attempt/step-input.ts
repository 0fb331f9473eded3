import type { Json } from '@flotilla/contracts';
import type { ClaimedAttempt } from '@flotilla/state';
import type { Assignment, Chain } from '../chain.ts';
import { readSecret } from '../read-secret.ts';

/** What a step's handler is given, and the checksum that its result chains to. */
export async function resolveStepInput(
  chain: Chain,
  assignment: Assignment,
  claimed: ClaimedAttempt,
): Promise<{ input: Json; previous: string }> {
  const secrets = new Set<string>();
  const resolved = await chain.resolveInput(assignment, claimed, (name) => {
    const secret = readSecret(name);
    secrets.add(secret);
    return secret;
  });
  const input = withSecrets(withRequestTimeout(resolved.input, assignment.work.requestTimeoutMs), secrets);
  return { input, previous: resolved.previous };
}

/** Attempts are spread together that fail together: behind one breaker, at one origin of http requests, else in one handler. */
export function spreadKeyOf({ work }: Assignment, input?: Json): string {
  if (work.breaker !== undefined) return `breaker ${work.breaker}`;
  if (work.request === undefined || typeof input !== 'object' || input === null || Array.isArray(input))
    return work.use;
  const { url } = input;
  return `${work.use} ${(typeof url === 'string' && URL.parse(url)?.origin) || ''}`;
}

/** The handler of http steps has a limit of its own for a request: what the author allows an attempt takes its place. */
function withRequestTimeout(input: Json, timeoutMs: number | undefined): Json {
  if (timeoutMs === undefined || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return { ...input, timeoutMs };
}

/** The handler of http steps must know what may not come out of it. */
function withSecrets(input: Json, secrets: ReadonlySet<string>): Json {
  if (secrets.size === 0 || typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return { ...input, secrets: [...secrets] };
}
