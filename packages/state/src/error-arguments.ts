import { normaliseMessage } from '@flotilla/contracts';

const MAX_NAME_CHARACTERS = 256;

/** Of what is no failure. */
export const NO_ERROR = { errorHandler: '', errorCode: '', errorType: '', errorMessage: '' } as const;

/** What the transitions need to put an error into its group. */
export function errorArguments(errorJson: string | undefined, handler?: string): Record<keyof typeof NO_ERROR, string> {
  const { code, type, message } = parseError(errorJson);
  return {
    errorHandler: handler ?? '',
    errorCode: nameOf(code),
    errorType: nameOf(type),
    errorMessage: normaliseMessage(typeof message === 'string' ? message : ''),
  };
}

function nameOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_NAME_CHARACTERS) : '';
}

function parseError(errorJson: string | undefined): Record<string, unknown> {
  try {
    const error: unknown = JSON.parse(errorJson || '{}');
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
