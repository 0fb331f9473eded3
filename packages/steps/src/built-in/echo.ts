import { defineStep } from '../define-step.ts';

/** `flotilla.echo`: returns its input. */
export const echo = defineStep({ name: 'flotilla.echo', run: (input) => input ?? null });
