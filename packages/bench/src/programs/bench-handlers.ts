import { setTimeout as delay } from 'node:timers/promises';
import { defineStep } from '@flotilla/steps';
import { handlerOf, WAITS_MS } from '../targets/graphs.ts';

export default [
  defineStep({ name: handlerOf(0), run: () => ({ i: 1 }) }),
  ...WAITS_MS.map((waitMs) => defineStep({ name: handlerOf(waitMs), run: () => delay(waitMs, { i: 1 }) })),
];
