import { expect, test } from '@jest/globals';
import { parseMoment } from './parse-moment.ts';

test.each([
  ['2027-01-31T09:00:00Z', Date.UTC(2027, 0, 31, 9)],
  ['2027-01-31T09:00:00+02:00', Date.UTC(2027, 0, 31, 7)],
  ['2027-01-31T09:00Z', Date.UTC(2027, 0, 31, 9)],
  ['2027-01-31T09:00:00.250Z', Date.UTC(2027, 0, 31, 9, 0, 0, 250)],
  ['2027-01-31T09:00:00', undefined],
  ['2027-01-31', undefined],
  ['2027-02-31T25:00:00Z', undefined],
  ['tomorrow', undefined],
  ['1', undefined],
])('the moment %s is %s', (text, moment) => {
  expect(parseMoment(text)).toBe(moment);
});
