/** What one line of an outbox entry asks for. */
export type OutboxEntry =
  | { what: 'entry-group'; runId: string; definitionHash: string }
  | { what: 'group'; runId: string; definitionHash: string; group: number; counter: number; opening: number }
  | { what: 'step'; runId: string; definitionHash: string; key: string }
  /** A worker could not compile the definition. */
  | { what: 'refused'; runId: string; definitionHash: string; key: string }
  | { what: 'reopen'; runId: string; definitionHash: string; opening: number }
  | { what: 'finish' | 'sweep' | 'held'; runId: string; definitionHash: string };

/** Parses the lines of one stream entry; unknown ones (a newer version's) are given back as undefined. */
export function parseOutboxLine(line: string): OutboxEntry | undefined {
  const [letter, runId = '', definitionHash = '', fourth = '', counter = '', opening = '1'] = line.split('|');
  switch (letter) {
    case 'E':
      return { what: 'entry-group', runId, definitionHash };
    case 'G':
      return {
        what: 'group',
        runId,
        definitionHash,
        group: Number(fourth),
        counter: Number(counter),
        opening: Number(opening),
      };
    case 'S':
      return { what: 'step', runId, definitionHash, key: fourth };
    case 'N':
      return { what: 'refused', runId, definitionHash, key: fourth };
    case 'A':
      return { what: 'reopen', runId, definitionHash, opening: Number(fourth) };
    case 'H':
      return { what: 'held', runId, definitionHash };
    case 'F':
      return { what: 'finish', runId, definitionHash };
    case 'C':
      return { what: 'sweep', runId, definitionHash };
    default:
      return undefined;
  }
}
