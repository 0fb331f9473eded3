import { Command } from 'commander';
import { connectScheduler, schedulerUrl } from '../connect-scheduler.ts';
import { checkNode, checkPnpm } from '../doctor/check-machine.ts';
import { checkScheduler } from '../doctor/check-scheduler.ts';
import type { Finding } from '../doctor/finding.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function doctorCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('doctor'))
    .description('check the environment Flotilla needs, and say how to fix what is wrong')
    .action(async (options: RemoteOptions) => {
      const client = connectScheduler(terminal, options);
      const url = schedulerUrl(terminal, options.url);
      // Loaded by the only command that talks to Redis: the client for it is a quarter of a start.
      const { checkRedisServer } = await import('../doctor/check-redis-server.ts');
      const findings = (
        await Promise.all([checkNode(), checkPnpm(), checkRedisServer(terminal.env), checkScheduler(client, url)])
      ).flat();
      const ok = findings.every(({ state }) => state !== 'fail');
      if (options.json) printJson(terminal, { ok, checks: findings });
      else for (const finding of findings) tell(terminal, finding);
      exit(ok ? EXIT.ok : EXIT.failed);
    });
}

const MARKS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

function tell(terminal: Terminal, { check, state, message, advice }: Finding): void {
  printLine(terminal, `${MARKS[state]}  ${check.padEnd(10)} ${plainText(message)}`);
  if (advice !== undefined) printLine(terminal, `                 ${plainText(advice)}`);
}
