import { FlotillaError } from '@flotilla/contracts';

/** When it is worth trying again: retention frees memory within seconds, an operator within minutes. */
const RETRY_AFTER_MS = 5000;

/** Refuses new runs while `refuses` says that there is no room for them: nothing of the request is looked at. */
export function createAdmission(refuses: () => boolean): () => void {
  return () => {
    if (!refuses()) return;
    const message = 'Redis is nearly full: no new runs are taken, so that those under way can end';
    throw new FlotillaError('STORAGE_FULL', message, { retryAfterMs: RETRY_AFTER_MS });
  };
}
