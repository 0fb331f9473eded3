import type { ApprovalDecision, ApprovalView } from '@flotilla/contracts';
import { Command } from 'commander';
import { connectScheduler } from '../connect-scheduler.ts';
import { formatMoment } from '../format-time.ts';
import { printJson, printLine, printTable } from '../print-table.ts';
import type { Action } from '../program.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

interface ListOptions extends RemoteOptions {
  decided?: true;
}

interface DecideCommandOptions extends RemoteOptions {
  by?: string;
  reason?: string;
  digest?: string;
}

export function approvalsCommand(terminal: Terminal, _exit: Action): Command {
  const approvals = withRemote(new Command('approvals'))
    .enablePositionalOptions()
    .description('list pending approvals; show, approve and reject them')
    .option('--decided', 'list decided approvals, latest first')
    .action(async (options: ListOptions) => {
      const status = options.decided === true ? 'decided' : 'pending';
      const list = await connectScheduler(terminal, options).approvals({ status, limit: 500 });
      if (options.json) printJson(terminal, list);
      else if (list.approvals.length === 0) printLine(terminal, `no ${status} approvals`);
      else printTable(terminal, HEADINGS, list.approvals.map(row));
    });
  approvals.addCommand(
    withRemote(new Command('show').argument('<id>', 'runId.stepId'))
      .description('show the action awaiting a decision')
      .action(async (id: string, options: RemoteOptions) => {
        printJson(terminal, await connectScheduler(terminal, options).approval(id));
      }),
  );
  approvals.addCommand(decideCommand(terminal, 'approve', 'let the action happen'));
  approvals.addCommand(decideCommand(terminal, 'reject', 'refuse the action'));
  return approvals;
}

function decideCommand(terminal: Terminal, decision: ApprovalDecision, description: string): Command {
  return withRemote(new Command(decision).argument('<id>', 'runId.stepId'))
    .description(description)
    .option('--by <name>', 'who decides')
    .option('--reason <text>', 'why')
    .option('--digest <sha256>', 'decide only on the action with this digest')
    .action(async (id: string, { by, reason, digest, ...options }: DecideCommandOptions) => {
      const decided = await connectScheduler(terminal, options).decide(id, decision, {
        signal: terminal.signal,
        ...(by !== undefined && { by }),
        ...(reason !== undefined && { reason }),
        ...(digest !== undefined && { digest }),
      });
      if (options.json) printJson(terminal, decided);
      else printLine(terminal, `${id} ${decided.decision} by ${decided.by}`);
    });
}

const HEADINGS = ['APPROVAL', 'WORKFLOW', 'REQUESTED', 'DEADLINE', 'APPROVERS', 'DECISION'];

function row({ id, workflow, requestedAt, deadlineAt, approvers, decision, by }: ApprovalView): string[] {
  return [
    id,
    workflow,
    formatMoment(requestedAt),
    deadlineAt === undefined ? '' : formatMoment(deadlineAt),
    approvers.join(', '),
    decision === undefined ? '' : `${decision} by ${by}`,
  ];
}
