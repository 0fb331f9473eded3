import type { Fleet, FleetMember } from '@flotilla/local-fleet';
import { COMPLAINT } from './invariants/v18-processes.ts';
import type { ProcessEntry } from './recording.ts';

/** The processes that there are and were, how they ended and what they complained of. */
export function processesOf(fleet: Pick<Fleet, 'members'>): ProcessEntry[] {
  return fleet.members.map(processOf);
}

function processOf({ id, kind, process, startedAt, exit, plannedEnd }: FleetMember): ProcessEntry {
  const entry: ProcessEntry = {
    id,
    kind,
    pid: process.pid,
    startedAt,
    complaints: process.lines.filter((line) => COMPLAINT.test(line)),
  };
  if (exit !== undefined) entry.exit = exit;
  if (plannedEnd === 'SIGKILL') entry.planned = { signal: 'SIGKILL' };
  if (plannedEnd === 'SIGTERM') entry.planned = { codes: [0] };
  return entry;
}
