import type { FlotillaClient } from '@flotilla/client';
import { isFlotillaError } from '@flotilla/contracts';
import type { Finding } from './finding.ts';

const ASK_WITHIN_MS = 3000;

/** Whether a scheduler answers, is ready, and knows of living workers. */
export async function checkScheduler(client: FlotillaClient, url: string): Promise<Finding[]> {
  const scheduler = await askReady(url);
  if (scheduler.state === 'fail') return [scheduler];
  try {
    const agents = await client.agents({ deadlineMs: ASK_WITHIN_MS });
    const flags = await client.flags({ deadlineMs: ASK_WITHIN_MS });
    return [scheduler, judgeWorkers(agents.map(({ status }) => status)), tellFlags(flags)];
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    return [scheduler, { check: 'workers', state: 'fail', message: `${error.code}: ${error.message}` }];
  }
}

async function askReady(url: string): Promise<Finding> {
  try {
    const answer = await fetch(`${url.replace(/\/+$/, '')}/readyz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    await answer.body?.cancel();
    if (answer.ok) return { check: 'scheduler', state: 'ok', message: `ready at ${url}` };
    const advice = 'it answers but cannot work: most often its Redis is away; its log says more';
    return { check: 'scheduler', state: 'fail', message: `${url} answers ${answer.status}`, advice };
  } catch {
    const advice = 'start one with: ./flotilla up   (or name one with --url or FLOTILLA_URL)';
    return { check: 'scheduler', state: 'fail', message: `no scheduler answers at ${url}`, advice };
  }
}

function tellFlags(flags: Awaited<ReturnType<FlotillaClient['flags']>>): Finding {
  const texts = flags.map(
    ({ name, percent }) => `${name} ${percent === 0 ? 'off' : percent === 100 ? 'on' : `${percent}%`}`,
  );
  return { check: 'flags', state: 'ok', message: texts.join(', ') };
}

function judgeWorkers(states: readonly string[]): Finding {
  const healthy = states.filter((state) => state === 'healthy').length;
  const others = states.length - healthy;
  const message = `${healthy} healthy${others === 0 ? '' : `, ${others} of another status`}`;
  if (healthy > 0) return { check: 'workers', state: 'ok', message };
  return { check: 'workers', state: 'fail', message, advice: 'start workers with: ./flotilla up' };
}
