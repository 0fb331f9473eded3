import { OUTBOX } from './format.ts';

/** What one line of an outbox entry asks for. */
export type OutboxEntry =
  | { what: 'entry-group'; runId: string; definitionHash: string }
  | { what: 'group'; runId: string; definitionHash: string; group: number; counter: number; opening: number }
  | { what: 'step'; runId: string; definitionHash: string; key: string }
  /** A worker could not compile the definition. */
  | { what: 'refused'; runId: string; definitionHash: string; key: string }
  | { what: 'reopen'; runId: string; definitionHash: string; opening: number }
  | {
      what: 'wait-answered' | 'start-child' | 'iteration-ended' | 'join-channel';
      runId: string;
      definitionHash: string;
      key: string;
    }
  | { what: 'channel-work'; runId: string; definitionHash: string; key: string; fence: string }
  | { what: 'finish' | 'sweep' | 'held' | 'close-waits' | 'child-ended'; runId: string; definitionHash: string };

/** The channel that a line is about; undefined of a line about a run. */
export function parseChannelLine(line: string): string | undefined {
  return line.startsWith(`${OUTBOX.deliver}|`) ? line.slice(2) : undefined;
}

/** Parses the lines of one stream entry; unknown ones (a newer version's) are given back as undefined. */
export function parseOutboxLine(line: string): OutboxEntry | undefined {
  const [letter, runId = '', definitionHash = '', fourth = '', counter = '', opening = '1'] = line.split('|');
  switch (letter) {
    case OUTBOX.entryGroup:
      return { what: 'entry-group', runId, definitionHash };
    case OUTBOX.group:
      return {
        what: 'group',
        runId,
        definitionHash,
        group: Number(fourth),
        counter: Number(counter),
        opening: Number(opening),
      };
    case OUTBOX.step:
      return { what: 'step', runId, definitionHash, key: fourth };
    case OUTBOX.refusedStep:
      return { what: 'refused', runId, definitionHash, key: fourth };
    case OUTBOX.waitAnswered:
      return { what: 'wait-answered', runId, definitionHash, key: fourth };
    case OUTBOX.startChild:
      return { what: 'start-child', runId, definitionHash, key: fourth };
    case OUTBOX.iterationEnded:
      return { what: 'iteration-ended', runId, definitionHash, key: fourth };
    case OUTBOX.joinChannel:
      return { what: 'join-channel', runId, definitionHash, key: fourth };
    case OUTBOX.channelWork:
      return { what: 'channel-work', runId, definitionHash, key: fourth, fence: counter };
    case OUTBOX.closeWaits:
      return { what: 'close-waits', runId, definitionHash };
    case OUTBOX.childEnded:
      return { what: 'child-ended', runId, definitionHash };
    case OUTBOX.reopen:
      return { what: 'reopen', runId, definitionHash, opening: Number(fourth) };
    case OUTBOX.heldSteps:
      return { what: 'held', runId, definitionHash };
    case OUTBOX.output:
      return { what: 'finish', runId, definitionHash };
    case OUTBOX.sweep:
      return { what: 'sweep', runId, definitionHash };
    default:
      return undefined;
  }
}
