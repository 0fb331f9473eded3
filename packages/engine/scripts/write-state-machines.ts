/** Writes docs/reference/state-machines.md; a test fails when it is not up to date. */
import { writeFileSync } from 'node:fs';
import { renderStateMachines } from '../src/render-state-machines.ts';

writeFileSync(new URL('../../../docs/reference/state-machines.md', import.meta.url), renderStateMachines());
