/** A step whose handler this worker lacks is looked at again by the relay after this long. */
export const NO_HANDLER_RETRY_MS = 1000;
