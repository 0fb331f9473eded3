import { expect, test } from '@jest/globals';
import { SustainedLag } from './sustained-lag.ts';

test('a loop that is late once, however long, is not late for good', () => {
  const lag = new SustainedLag();
  expect([lag.note(5000, 1), lag.note(10, 1), lag.note(4000, 1)]).toEqual([0, 0, 0]);
});

test('a loop that is late look after look has been late for all of it', () => {
  const lag = new SustainedLag();
  expect([lag.note(800, 1), lag.note(700, 1), lag.note(400, 1), lag.note(20, 1), lag.note(600, 1)]).toEqual([
    0, 1500, 1900, 0, 0,
  ]);
});

test('a loop that is late because others have the processor is not late', () => {
  const lag = new SustainedLag();
  expect([lag.note(2000, 0.1), lag.note(2000, 0.1), lag.note(2000, 0.1)]).toEqual([0, 0, 0]);
});
