import type { AgentView } from '@flotilla/contracts';
import { Command } from 'commander';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatDuration, formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface AgentsOptions extends RemoteOptions {
  all?: boolean;
  events?: boolean;
}

/** Lost agents are of interest for a moment; the scheduler remembers them for an hour. */
const SHOWN_WHEN_LOST_MS = 60_000;

export function agentsCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('agents'))
    .description('list the agents with their health and handlers')
    .option('--all', 'include agents that have been lost for longer than a minute')
    .option('--events', "what happened to the agents' health lately, newest first")
    .action(async (options: AgentsOptions) => {
      if (options.events === true) {
        await printEvents(terminal, options);
        return;
      }
      const agents = await connectScheduler(terminal, options).agents();
      const now = latestSign(agents);
      const isShown = ({ status, lastSeenAt }: AgentView) =>
        options.all === true || status !== 'lost' || now - lastSeenAt <= SHOWN_WHEN_LOST_MS;
      const shown = agents.filter(isShown);
      if (options.json) {
        printJson(terminal, { agents: shown });
        return;
      }
      if (shown.length === 0) printLine(terminal, `no agents: start workers with \`${COMMAND} up\``);
      else
        printTable(
          terminal,
          HEADINGS,
          shown.map((agent) => row(agent, now)),
        );
      const hidden = agents.length - shown.length;
      if (hidden > 0) printLine(terminal, `${hidden} lost longer than a minute ago: --all shows them`);
    });
}

/**
 * The moment of the list, on Redis' clock, to within the 9 s in which a living worker is heard of. Without a living one
 * this machine's clock has to do.
 */
function latestSign(agents: readonly AgentView[]): number {
  const living = agents.filter(({ status }) => status !== 'lost');
  return living.length === 0 ? Date.now() : Math.max(...living.map(({ lastSeenAt }) => lastSeenAt));
}

const HEADINGS = ['AGENT', 'STATUS', 'LAST SEEN', 'HOST', 'PID', 'LOAD', 'UPTIME', 'HANDLERS'];

function row(agent: AgentView, now: number): string[] {
  const { agentId, status, host, pid, load, startedAt, lastSeenAt, capabilities, handlers } = agent;
  // An agent's handler is its capability under another name.
  const abilities = [...capabilities, ...handlers.filter((name) => !name.startsWith('agent:'))].join(' ');
  const up = formatDuration(lastSeenAt - startedAt);
  const seen =
    status === 'lost' ? `${formatMoment(lastSeenAt)} (${formatDuration(Math.max(0, now - lastSeenAt))} ago)` : 'now';
  return [agentId, standing(agent, now), seen, host, String(pid), formatLoad(load), up, abilities];
}

/** A status that is not the usual one says why, and for how long it has been that. */
function standing({ status, reason, since }: AgentView, now: number): string {
  if (status === 'lost' || reason === undefined || reason === 'probation-passed' || reason === 'heartbeat-resumed')
    return status;
  return `${status}: ${reason} (${formatDuration(Math.max(0, now - since))})`;
}

async function printEvents(terminal: Terminal, options: AgentsOptions): Promise<void> {
  const events = await connectScheduler(terminal, options).agentEvents();
  if (options.json) printJson(terminal, { events });
  else if (events.length === 0) printLine(terminal, 'nothing has happened to the health of agents');
  else {
    const rows = events.map(({ at, type, agentId, reason }) => [formatMoment(at), type, agentId, reason]);
    printTable(terminal, ['AT', 'EVENT', 'AGENT', 'REASON'], rows);
  }
}

/** Attempts at once of as many as it takes; of how many it has slots for when that is more: it is short of something. */
function formatLoad({ running, slots, limit = slots }: AgentView['load']): string {
  return limit < slots ? `${running}/${limit} of ${slots}` : `${running}/${slots}`;
}
