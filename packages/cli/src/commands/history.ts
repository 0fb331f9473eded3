import type { HistoryEvent } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, wholeNumber, withRemote } from './common-options.ts';

interface HistoryOptions extends RemoteOptions {
  after?: number;
  limit?: number;
}

const MOST_EVENTS = 10_000_000;

export function historyCommand(terminal: Terminal, _exit: Action): Command {
  return withRemote(new Command('history'))
    .description('print the events of a run, in order')
    .argument('<run>', 'id of the run')
    .option('--after <seq>', 'only events after this one', wholeNumber(0, MOST_EVENTS))
    .option('--limit <count>', 'maximum number to list', wholeNumber(1, MOST_EVENTS))
    .action(async (runId: string, options: HistoryOptions) => {
      const { after, limit: atMost = MOST_EVENTS } = options;
      const client = connectScheduler(terminal, options);
      const events: HistoryEvent[] = [];
      for await (const event of client.allHistory(runId, after === undefined ? {} : { after })) {
        events.push(event);
        if (!options.json) printLine(terminal, eventLine(event, events[0]!));
        if (events.length >= atMost) break;
      }
      if (options.json) printJson(terminal, { events });
    });
}

/** One event: its number, the time since the first one shown, what happened to what, and by whom. */
export function eventLine(event: HistoryEvent, first: HistoryEvent): string {
  const since = `+${((event.at - first.at) / 1000).toFixed(3)}`;
  const parts = [
    String(event.seq).padStart(5),
    since.padStart(9),
    event.type.padEnd(18),
    ...(event.stepId === undefined ? [] : [plainText(event.stepId)]),
    ...(event.attempt === undefined || event.attempt === 1 ? [] : [`attempt ${event.attempt}`]),
    ...(event.worker === undefined ? [] : [`on ${plainText(event.worker)}`]),
    ...detailOf(event),
  ];
  return parts.join(' ').trimEnd();
}

function detailOf({ data }: HistoryEvent): string[] {
  const { code, message, reason } = data ?? {};
  const texts = [reason, code, message].filter((value): value is string => typeof value === 'string');
  return texts.length === 0 ? [] : [`(${plainText(texts.join(': '))})`];
}
