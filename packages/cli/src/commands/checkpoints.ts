import type { FlotillaClient } from '@flotilla/client';
import type { CheckpointView, HistoryEvent } from '@flotilla/contracts';
import { Command } from 'commander';
import { type CheckpointProblem, findCheckpointProblems } from '../checkpoint-problems.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { counted } from '../counted.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

const PAGE = 500;

export function checkpointsCommand(terminal: Terminal, setExit: Action): Command {
  return new Command('checkpoints')
    .description('list or verify what the steps of a run have stored')
    .addCommand(listCommand(terminal))
    .addCommand(verifyCommand(terminal, setExit));
}

function listCommand(terminal: Terminal): Command {
  return withRemote(new Command('list'))
    .description('list the checkpoints of a run: results, progress inside steps, and what was set aside')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const checkpoints = await readAll(terminal, options, runId);
      if (options.json) printJson(terminal, { checkpoints });
      else printTable(terminal, ['STEP', 'KIND', 'SEQ', 'STATE'], checkpoints.map(rowOf));
    });
}

function verifyCommand(terminal: Terminal, setExit: Action): Command {
  return withRemote(new Command('verify'))
    .description('check every checkpoint of a run against its checksum or signature, and against the history')
    .argument('<run>', 'id of the run')
    .action(async (runId: string, options: RemoteOptions) => {
      const client = connectScheduler(terminal, options);
      // A run that is being made goes on meanwhile: the history is read on both sides of the checkpoints.
      const before = await eventsAfter(client, runId, -1);
      const checkpoints = await readAll(terminal, options, runId);
      const meanwhile = await eventsAfter(client, runId, before.at(-1)?.seq ?? -1);
      const problems = findCheckpointProblems(checkpoints, before, meanwhile);
      const ok = problems.length === 0;
      if (options.json) printJson(terminal, { ok, checked: checkpoints.length, problems });
      else {
        for (const problem of problems) printLine(terminal, lineOf(problem));
        const verdict = ok ? 'all good' : counted(problems.length, 'problem');
        printLine(terminal, `${counted(checkpoints.length, 'checkpoint')}: ${verdict}`);
      }
      if (!ok) setExit(EXIT.failed);
    });
}

async function eventsAfter(client: FlotillaClient, runId: string, after: number): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const event of client.allHistory(runId, { after })) events.push(event);
  return events;
}

async function readAll(terminal: Terminal, options: RemoteOptions, runId: string): Promise<CheckpointView[]> {
  const client = connectScheduler(terminal, options);
  const checkpoints: CheckpointView[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.checkpoints(runId, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    checkpoints.push(...page.checkpoints);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return checkpoints;
}

function rowOf({ stepId, kind, seq, verified, problem }: CheckpointView): string[] {
  return [stepId, kind, String(seq), verified ? 'good' : (problem ?? 'not verified')];
}

function lineOf({ stepId, kind, seq, problem }: CheckpointProblem): string {
  return `${plainText(stepId)}: ${kind} ${seq}: ${problem}`;
}
