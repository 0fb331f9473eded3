import type { FlotillaClient } from '@flotilla/client';
import { isFlotillaError } from '@flotilla/contracts';
import { COMMAND } from '../command-name.ts';
import type { Finding } from './finding.ts';

const ASK_WITHIN_MS = 3000;

/** Whether a scheduler answers, is ready, and knows of living workers. */
export async function checkScheduler(client: FlotillaClient, url: string): Promise<Finding[]> {
  const found = await askReady(url);
  if (found.some(({ state }) => state === 'fail')) return found;
  try {
    const agents = await client.agents({ deadlineMs: ASK_WITHIN_MS });
    const flags = await client.flags({ deadlineMs: ASK_WITHIN_MS });
    return [...found, judgeWorkers(agents.map(({ status }) => status)), tellFlags(flags)];
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    return [...found, { check: 'workers', state: 'fail', message: `${error.code}: ${error.message}` }];
  }
}

/** What /readyz says: also what is wrong with its Redis while it goes on. */
async function askReady(url: string): Promise<Finding[]> {
  try {
    const answer = await fetch(`${url.replace(/\/+$/, '')}/readyz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    if (answer.ok) {
      const ready: Finding = { check: 'scheduler', state: 'ok', message: `ready at ${url}` };
      return [ready, ...problemsOf(await answer.json())];
    }
    await answer.body?.cancel();
    const advice = 'it answers but cannot work: most often its Redis is away; its log says more';
    return [{ check: 'scheduler', state: 'fail', message: `${url} answers ${answer.status}`, advice }];
  } catch {
    const advice = `start one with: ${COMMAND} up   (or name one with --url or FLOTILLA_URL)`;
    return [{ check: 'scheduler', state: 'fail', message: `no scheduler answers at ${url}`, advice }];
  }
}

function tellFlags(flags: Awaited<ReturnType<FlotillaClient['flags']>>): Finding {
  const texts = flags.map(
    ({ name, percent }) => `${name} ${percent === 0 ? 'off' : percent === 100 ? 'on' : `${percent}%`}`,
  );
  return { check: 'flags', state: 'ok', message: texts.join(', ') };
}

function problemsOf(answer: unknown): Finding[] {
  const { problems } = (answer ?? {}) as { problems?: { code: string; message: string }[] };
  return (problems ?? []).map(({ code, message }) => ({
    check: code.startsWith('STORAGE_') ? 'storage' : 'redis',
    state: 'warn',
    message,
    ...(code.startsWith('STORAGE_') && { advice: 'give Redis memory, or shorten FLOTILLA_RETENTION_MS' }),
  }));
}

function judgeWorkers(states: readonly string[]): Finding {
  const healthy = states.filter((state) => state === 'healthy').length;
  const others = [...new Set(states)].filter((state) => state !== 'healthy').sort();
  const counts = others.map((state) => `${states.filter((each) => each === state).length} ${state}`);
  const message = [`${healthy} healthy`, ...counts].join(', ');
  if (healthy > 0) return { check: 'workers', state: 'ok', message };
  return { check: 'workers', state: 'fail', message, advice: `start workers with: ${COMMAND} up` };
}
