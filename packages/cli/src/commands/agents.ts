import type { AgentView } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatDuration } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function agentsCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('agents'))
    .description('list the agents and what they can do')
    .action(async (options: RemoteOptions) => {
      const agents = await connectScheduler(terminal, options).agents();
      if (options.json) printJson(terminal, { agents });
      else if (agents.length === 0) printLine(terminal, 'no agents: start workers with `./flotilla up`');
      else printTable(terminal, ['AGENT', 'STATUS', 'HOST', 'PID', 'LOAD', 'UP', 'CAN DO'], agents.map(row));
    });
}

function row({ agentId, status, host, pid, load, startedAt, lastSeenAt, capabilities, handlers }: AgentView): string[] {
  // An agent's handler is its capability under another name.
  const abilities = [...capabilities, ...handlers.filter((name) => !name.startsWith('agent:'))].join(' ');
  const up = formatDuration(lastSeenAt - startedAt);
  return [agentId, status, host, String(pid), `${load.running}/${load.slots}`, up, abilities];
}
