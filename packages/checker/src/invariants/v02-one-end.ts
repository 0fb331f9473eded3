import { TERMINAL_STATUS } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';

export const v02 = perRun(
  'V2',
  'A run has exactly one terminal event for each time that it was opened, the last of which is its status, and only refused results, and failed cleanups that somebody asks for again, follow one until the run is retried.',
  ({ record, terminal, openings }, { atRest }) => {
    const found: Found[] = [];
    const { status } = record.run;
    openings.forEach((events, index) => {
      const own = terminal.filter((end) => events.includes(end));
      const isOver = atRest || index < openings.length - 1;
      if (own.length > 1 || (own.length === 0 && isOver)) {
        const types = own.map(({ type }) => type).join(', ');
        found.push({
          message: `${own.length} terminal events: ${types}`,
          evidence: own.length > 0 ? own : events.slice(-1),
        });
      }
      const [end] = own;
      if (end === undefined) return;
      const requested = new Set<number | undefined>();
      for (const event of events.slice(events.indexOf(end) + 1)) {
        // A cleanup that had failed and that somebody asked for: the run stays as it ended.
        if (event.type === 'cleanup-requested') requested.add(event.cleanup);
        if (event.type.startsWith('cleanup-') && requested.has(event.cleanup)) continue;
        if (event.type === 'attempt-rejected' || event.type === 'cleanup-rejected' || own.includes(event)) continue;
        found.push({ message: `${event.type} (event ${event.seq}) follows ${end.type}`, evidence: [end, event] });
      }
    });
    const last = terminal.find((end) => openings.at(-1)?.includes(end));
    if (atRest && last !== undefined && TERMINAL_STATUS.get(last.type) !== status) {
      found.push({ message: `the run is ${status} and its history ends ${last.type}`, evidence: [last] });
    }
    return found;
  },
);
