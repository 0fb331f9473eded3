import { TERMINAL_STATUS } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';

export const v02 = perRun(
  'V2',
  'A run has exactly one terminal event, which is its status, and only refused results follow it.',
  ({ record, terminal, events }, { atRest }) => {
    const found: Found[] = [];
    const { status } = record.run;
    if (terminal.length > 1 || (terminal.length === 0 && atRest)) {
      const types = terminal.map(({ type }) => type).join(', ');
      found.push({
        message: `${terminal.length} terminal events: ${types}`,
        evidence: terminal.length > 0 ? terminal : events.slice(-1),
      });
    }
    const [end] = terminal;
    if (end === undefined) return found;
    if (atRest && TERMINAL_STATUS.get(end.type) !== status) {
      found.push({ message: `the run is ${status} and its history ends ${end.type}`, evidence: [end] });
    }
    const after = events.slice(events.indexOf(end) + 1);
    for (const event of after) {
      if (event.type === 'attempt-rejected' || event.type === 'cleanup-rejected' || terminal.includes(event)) continue;
      found.push({ message: `${event.type} (event ${event.seq}) follows ${end.type}`, evidence: [end, event] });
    }
    return found;
  },
);
