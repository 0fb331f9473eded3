import { StepFailure } from '@flotilla/steps';

const PREFIX = 'FLOTILLA_SECRET_';

/**
 * A secret of this worker, by the name that a definition gives it.
 * @throws StepFailure `SECRET_NOT_SET`, not retryable, with the name of the variable.
 */
export function readSecret(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const value = env[PREFIX + name];
  if (value !== undefined && value !== '') return value;
  const message = `the secret ${name} is not set: its value belongs in ${PREFIX}${name} in the environment of the worker`;
  throw new StepFailure(message, { code: 'SECRET_NOT_SET', retryable: false });
}
