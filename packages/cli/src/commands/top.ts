import { setTimeout as pause } from 'node:timers/promises';
import type { FlotillaClient } from '@flotilla/client';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import { LiveLines } from '../progress/live-lines.ts';
import { type FleetSnapshot, renderFleet } from '../progress/render-fleet.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface TopOptions extends RemoteOptions {
  once?: boolean;
  every: number;
}

const MAX_RUNS = 100;

export function topCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('top'))
    .description('show the fleet live: its verdict, counts, open breakers, agents and the runs under way')
    .option('--once', 'print it once; the default where the output is not a terminal, and with --json')
    .option('--every <seconds>', 'seconds between refreshes', wholeNumber(1, 3600), 1)
    .action(async (options: TopOptions) => {
      const client = connectScheduler(terminal, options);
      if (options.json) printJson(terminal, await readFleet(client));
      else if (options.once === true || !terminal.interactive) await printOnce(client, terminal);
      else await showLive(client, terminal, options.every * 1000);
    });
}

async function readFleet(client: FlotillaClient): Promise<FleetSnapshot> {
  const [report, running, list, agents, breakers] = await Promise.all([
    client.report(),
    client.list({ status: 'running', limit: MAX_RUNS }),
    client.list({ limit: 1, counts: true }),
    client.agents(),
    client.breakers(),
  ]);
  return { report, list: { ...list, runs: running.runs }, agents, breakers };
}

async function printOnce(client: FlotillaClient, terminal: Terminal): Promise<void> {
  const lines = renderFleet(await readFleet(client), terminal.columns(), terminal.rows());
  for (const line of lines) printLine(terminal, line);
}

/** Until it is interrupted, which is how it is meant to end. */
async function showLive(client: FlotillaClient, terminal: Terminal, everyMs: number): Promise<void> {
  const lines = new LiveLines(terminal);
  try {
    while (!terminal.signal.aborted) {
      lines.draw(renderFleet(await readFleet(client), terminal.columns() - 1, terminal.rows() - 1));
      await pause(everyMs, undefined, { signal: terminal.signal }).catch(() => undefined);
    }
  } finally {
    lines.end();
  }
}
