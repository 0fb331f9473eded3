import type { ChannelView } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { readInput } from '../documents/read-input.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

export function channelsCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('channels'))
    .description('list channels with the number of messages waiting in each')
    .action(async (options: RemoteOptions) => {
      const channels = await connectScheduler(terminal, options).channels({ signal: terminal.signal });
      if (options.json) printJson(terminal, { channels });
      else if (channels.length === 0) printLine(terminal, 'no channels');
      else printTable(terminal, HEADINGS, channels.map(row));
    });
}

const HEADINGS = ['CHANNEL', 'DEPTH', 'BYTES', 'SENT', 'RECEIVERS', 'SENDERS'];

function row({ name, depth, bytes, sent, waitingReceivers, waitingSenders }: ChannelView): string[] {
  return [name, ...[depth, bytes, sent, waitingReceivers, waitingSenders].map(String)];
}

interface SendCommandOptions extends RemoteOptions {
  key?: string;
  id?: string;
}

export function sendCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('send'))
    .description('send a message to a channel')
    .argument('<channel>', 'name of the channel')
    .argument('<message>', 'JSON, or @file')
    .option('--key <text>', 'messages of one key are received in order')
    .option('--id <text>', 'messages with the same id are sent once, within a day')
    .action(async (channel: string, message: string, options: SendCommandOptions) => {
      const body = await readInput(message, terminal.cwd);
      const sent = await connectScheduler(terminal, options).send(channel, body, {
        signal: terminal.signal,
        ...(options.key !== undefined && { key: options.key }),
        ...(options.id !== undefined && { dedupeId: options.id }),
      });
      if (options.json) printJson(terminal, sent);
      else printLine(terminal, `${channel} ${sent.seq}${sent.deduplicated ? ' (sent before)' : ''}`);
    });
}
