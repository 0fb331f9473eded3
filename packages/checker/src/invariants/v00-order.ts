import { type Found, perRun } from '../violation.ts';

export const v00 = perRun(
  'V0',
  'A history is whole and totally ordered: it begins with run-created, and seq has no gap.',
  (run) => {
    const found: Found[] = [];
    run.events.forEach((event, index) => {
      if (event.seq !== index) found.push({ message: `event ${index} has seq ${event.seq}`, evidence: [event] });
    });
    const [first] = run.events;
    if (first?.type !== 'run-created') {
      found.push({
        message: 'the history does not begin with run-created',
        evidence: first === undefined ? [] : [first],
      });
    }
    return found;
  },
);
