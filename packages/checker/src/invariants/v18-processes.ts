import type { ProcessEntry } from '../recording.ts';
import type { Invariant, Violation } from '../violation.ts';

export const v18: Invariant = {
  id: 'V18',
  title:
    'Processes end as planned and not otherwise, and none tells of an error that nobody handled or of listeners that leak.',
  check: ({ recording }) =>
    recording.processes.flatMap((process) => [...findWrongEnd(process), ...findComplaints(process)]),
};

function findWrongEnd(process: ProcessEntry): Violation[] {
  const { id, exit, planned } = process;
  if (exit === undefined) return [];
  if (planned !== undefined) {
    if (exit.signal !== null && exit.signal === planned.signal) return [];
    if (exit.code !== null && (planned.codes ?? []).includes(exit.code)) return [];
  }
  const how = exit.signal ?? `code ${exit.code}`;
  const message = `${id} ended with ${how}, ${planned === undefined ? 'and nobody ended it' : 'which was not planned'}`;
  return [{ invariant: 'V18', message, evidence: [process] }];
}

function findComplaints(process: ProcessEntry): Violation[] {
  const { id, complaints } = process;
  if (complaints.length === 0) return [];
  return [{ invariant: 'V18', message: `${id} told of what must not happen: ${complaints[0]}`, evidence: [process] }];
}

/** What no healthy process writes. */
export const COMPLAINT =
  /unhandled ?rejection|uncaught ?exception|MaxListenersExceeded|FATAL ERROR|heap out of memory/i;
