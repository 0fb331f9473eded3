import type { AgentView, BreakerView, Report, RunList, RunView } from '@flotilla/contracts';
import { formatDuration } from '../format-time.ts';
import { cutTo, plainText } from '../plain-text.ts';

/** What `flotilla top` shows, as read from a scheduler. */
export interface FleetSnapshot {
  report: Report;
  /** The newest runs that have not ended, with the counts of all runs. */
  list: RunList;
  agents: readonly AgentView[];
  breakers: readonly BreakerView[];
}

/** Lines above the tables, and the headings of both. */
const MIN_AGENT_ROWS = 3;
const MIN_RUN_ROWS = 3;

/** The lines of the live view of a fleet: none is wider than the terminal, and together they fit its height. */
export function renderFleet(snapshot: FleetSnapshot, columns: number, rows: number): string[] {
  const head = [...verdictLines(snapshot.report), ...countLines(snapshot.list), ...breakerLines(snapshot)];
  const agents = snapshot.agents.filter(({ status }) => status !== 'lost');
  const left = Math.max(MIN_AGENT_ROWS + MIN_RUN_ROWS, rows - head.length - 4);
  const agentRows = Math.max(MIN_AGENT_ROWS, Math.min(agents.length, Math.floor(left / 2)));
  const agentLines = tableOf(['AGENT', 'STATUS', 'LOAD', 'HOST'], agents.map(agentRow), agentRows);
  const runRows = Math.max(MIN_RUN_ROWS, left - agentLines.length);
  const runLines = tableOf(
    ['RUN', 'WORKFLOW', 'STATUS', 'AGE', 'WAITS FOR'],
    snapshot.list.runs.map((run) => runRow(run, snapshot.report.at)),
    runRows,
  );
  return [...head, '', ...agentLines, '', ...runLines].map((line) => cutTo(line, columns));
}

function verdictLines({ verdict, summary, findings }: Report): string[] {
  const more = findings.slice(0, 2).map(({ code, next }) => `  ${code}: ${plainText(next)}`);
  return [`${verdict}: ${plainText(summary)}`, ...more];
}

function countLines({ counts }: RunList): string[] {
  if (counts === undefined) return [];
  const runs = Object.entries(counts.status).map(([status, count]) => `${status} ${count}`);
  // A kind and its subjects are both counted: the subjects say more.
  const kinds = Object.entries(counts.waiting).filter(([name]) => !Object.keys(counts.waiting).some(isSubjectOf(name)));
  const waiting = kinds.filter(([, count]) => count > 0).map(([name, count]) => `${plainText(name)} ${count}`);
  return [`runs: ${runs.join(', ') || 'none'}`, `waiting: ${waiting.join(', ') || 'none'}`];
}

const isSubjectOf = (kind: string) => (name: string) => name.startsWith(`${kind}:`);

function breakerLines({ breakers, report }: FleetSnapshot): string[] {
  return breakers
    .filter(({ state }) => state !== 'closed')
    .slice(0, 3)
    .map(
      ({ name, state, since, parked }) =>
        `breaker ${plainText(name)}: ${state} for ${formatDuration(report.at - since)}, ${parked} parked`,
    );
}

function agentRow({ agentId, status, load, host }: AgentView): string[] {
  const { running, slots, limit = slots } = load;
  return [agentId, status, limit < slots ? `${running}/${limit} of ${slots}` : `${running}/${slots}`, host];
}

function runRow({ runId, workflow, status, createdAt, waiting = [] }: RunView, now: number): string[] {
  const waits = waiting.map(({ reason, subject }) => (subject === undefined ? reason : `${reason}:${subject}`));
  return [runId, workflow, status, formatDuration(Math.max(0, now - createdAt)), waits.join(' ')];
}

/** Headings and at most so many rows; the last says how many are left out. */
function tableOf(headings: readonly string[], rows: readonly (readonly string[])[], maxRows: number): string[] {
  const shown = rows.length > maxRows ? rows.slice(0, maxRows - 1) : rows;
  const cells = [headings, ...shown.map((row) => row.map(plainText))];
  const widths = headings.map((_heading, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const hidden = rows.length - shown.length;
  return hidden > 0 ? [...lines, `… and ${hidden} more`] : lines;
}
