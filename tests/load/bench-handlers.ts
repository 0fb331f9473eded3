import { defineStep } from '@flotilla/steps';
import { NOOP } from './workloads.ts';

export default [defineStep({ name: NOOP, run: () => ({ i: 1 }) })];
