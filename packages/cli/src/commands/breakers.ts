import type { BreakerView } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function breakersCommand(terminal: Terminal, _exit: Action): Command {
  const breakers = withRemote(new Command('breakers'))
    .enablePositionalOptions()
    .description('list the breakers of dependencies; open and close them by hand')
    .action(async (options: RemoteOptions) => {
      const list = await connectScheduler(terminal, options).breakers();
      if (options.json) {
        printJson(terminal, { breakers: list });
        return;
      }
      if (list.length === 0) printLine(terminal, 'no breakers: no step with a `breaker` has run within a day');
      else printTable(terminal, HEADINGS, list.map(row));
    });
  breakers.addCommand(
    withRemote(new Command('open').argument('<name>'))
      .description('keep the steps behind this breaker waiting until it is closed')
      .action(async (name: string, options: RemoteOptions) => {
        show(terminal, options, await connectScheduler(terminal, options).openBreaker(name));
      }),
  );
  breakers.addCommand(
    withRemote(new Command('close').argument('<name>'))
      .description('let the steps behind this breaker go on, whatever opened it')
      .action(async (name: string, options: RemoteOptions) => {
        show(terminal, options, await connectScheduler(terminal, options).closeBreaker(name));
      }),
  );
  return breakers;
}

const HEADINGS = ['BREAKER', 'STATE', 'SINCE', 'NEXT PROBE', 'PARKED', 'WHY'];

function row({ name, state, since, openUntil, parked, manual, cause = '' }: BreakerView): string[] {
  const next = openUntil !== undefined ? formatMoment(openUntil) : manual ? 'none' : state === 'half-open' ? 'now' : '';
  return [name, state, formatMoment(since), next, String(parked), cause];
}

function show(terminal: Terminal, options: RemoteOptions, breaker: BreakerView): void {
  if (options.json) printJson(terminal, breaker);
  else printLine(terminal, `${breaker.name} is ${breaker.state}; ${breaker.parked} steps are parked`);
}
