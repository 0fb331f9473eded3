import type { FlotillaClient } from '@flotilla/client';
import { type BreakerView, nearestName } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function breakersCommand(terminal: Terminal, _exit: Action): Command {
  const breakers = withRemote(new Command('breakers'))
    .enablePositionalOptions()
    .description('list circuit breakers; open and close them manually')
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
      .description('hold the steps behind this breaker until it is closed')
      .action(async (name: string, options: RemoteOptions) => {
        await act(terminal, options, name, (client) => client.openBreaker(name));
      }),
  );
  breakers.addCommand(
    withRemote(new Command('close').argument('<name>'))
      .description('release the steps behind this breaker, whatever opened it')
      .action(async (name: string, options: RemoteOptions) => {
        await act(terminal, options, name, (client) => client.closeBreaker(name));
      }),
  );
  return breakers;
}

const HEADINGS = ['BREAKER', 'STATE', 'SINCE', 'NEXT PROBE', 'PARKED', 'WHY'];

function row({ name, state, since, openUntil, parked, manual, cause = '' }: BreakerView): string[] {
  const next = openUntil !== undefined ? formatMoment(openUntil) : manual ? 'none' : state === 'half-open' ? 'now' : '';
  return [name, state, formatMoment(since), next, String(parked), cause];
}

/** A breaker can be opened before anything has used it; a name that is mistyped looks just like that, so it is told. */
async function act(
  terminal: Terminal,
  options: RemoteOptions,
  name: string,
  change: (client: FlotillaClient) => Promise<BreakerView>,
): Promise<void> {
  const client = connectScheduler(terminal, options);
  const known = (await client.breakers()).map((breaker) => breaker.name);
  const breaker = await change(client);
  if (options.json) printJson(terminal, breaker);
  else printLine(terminal, toldAfter(breaker) + unknownNote(name, known));
}

function unknownNote(name: string, known: readonly string[]): string {
  if (known.includes(name)) return '';
  const nearest = nearestName(name, known);
  return `; no step has used it within a day${nearest === undefined ? '' : `: did you mean ${nearest}?`}`;
}

function toldAfter({ name, state, parked }: BreakerView): string {
  const steps = `${counted(parked, 'step')} ${parked === 1 ? 'is' : 'are'} parked`;
  const back =
    state === 'closed' && parked > 0 ? `, and ${parked === 1 ? 'comes' : 'come'} back within the next minutes` : '';
  return `${name} is ${state}; ${steps}${back}`;
}
