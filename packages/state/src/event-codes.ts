import type { EventType } from '@flotilla/contracts';

/** One character for each event type in a stored history line. Stored: never change a code's meaning. */
export const EVENT_CODES = {
  'run-created': 'A',
  'step-ready': 'r',
  'attempt-started': 's',
  'attempt-succeeded': 'a',
  'attempt-failed': 'f',
  'attempt-timed-out': 't',
  'attempt-lost': 'l',
  'attempt-rejected': 'j',
  'attempt-cancelled': 'c',
  'retry-scheduled': 'b',
  'step-parked': 'p',
  'step-succeeded': 'S',
  'step-failed': 'F',
  'step-skipped': 'K',
  'step-cancelled': 'C',
  'step-quarantined': 'Q',
  'checkpoint-saved': 'v',
  'checkpoint-corrupt': 'x',
  'cancel-requested': 'X',
  'run-paused': 'P',
  'run-resumed': 'R',
  'run-retried': 'N',
  'cleanup-started': '1',
  'cleanup-succeeded': '2',
  'cleanup-failed': '3',
  'cleanup-registered': '4',
  'cleanup-retried': '5',
  'cleanup-lost': '6',
  'cleanup-released': '7',
  'cleanup-parked': '8',
  'cleanup-rejected': '9',
  'run-succeeded': 'Z',
  'run-failed': 'Y',
  'run-cancelled': 'W',
  'run-timed-out': 'V',
} as const satisfies Record<EventType, string>;

export const EVENT_TYPE_OF_CODE: ReadonlyMap<string, EventType> = new Map(
  Object.entries(EVENT_CODES).map(([type, code]) => [code, type as EventType]),
);
