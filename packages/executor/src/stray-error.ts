import { ERROR_TYPE, type ErrorType, FlotillaError } from '@flotilla/contracts';
import { classifyError } from '@flotilla/engine';

/** How an error escaped its handler. */
export type StrayKind = 'rejection' | 'exception';

const CODES = { rejection: 'UNAWAITED_REJECTION', exception: 'UNCAUGHT_EXCEPTION' } as const;
const ADVICE = {
  rejection: 'a promise that the handler does not await was rejected; await it, return it or catch its error',
  exception:
    "an error was thrown outside the handler's promise, by a timer, a callback or an emitter without an 'error' listener; catch it there",
} as const;

/** Fails the attempt whose handler let it escape. Whether another attempt follows is decided by what was thrown. */
export class StrayError extends FlotillaError {
  readonly kind: StrayKind;
  readonly [ERROR_TYPE]: ErrorType;

  constructor(kind: StrayKind, thrown: unknown) {
    const { type, message } = classifyError(thrown);
    super(CODES[kind], `${ADVICE[kind]}: ${message}`, { cause: thrown });
    this.kind = kind;
    // Nobody has cancelled the attempt: what was aborted is something of the handler's own.
    this[ERROR_TYPE] = type === 'cancelled' ? 'retryable' : type;
  }
}
