import { describe, expect, test } from '@jest/globals';
import { DEFAULT_FLAGS, flagsZ, listFlags } from './flags.ts';

describe('FLOTILLA_FLAGS', () => {
  test('leaves on what it does not name', () => {
    expect(flagsZ.parse('')).toEqual(DEFAULT_FLAGS);
    expect(flagsZ.parse(' spread-retries = 25% , health-routing=off,')).toEqual({
      ...DEFAULT_FLAGS,
      'spread-retries': 25,
      'health-routing': 0,
    });
  });

  test('tells all problems at once: names that there are not, and values that a flag does not take', () => {
    const { error } = flagsZ.safeParse('spred-retries=on,health-routing=50%,spread-retries=101%,isolate-suspects');
    expect(error?.issues.map(({ message }) => message)).toEqual([
      'there is no flag spred-retries: did you mean spread-retries?',
      'health-routing takes on or off, not 50%',
      'spread-retries takes on, off or a percentage such as 25%, not 101%',
      'isolate-suspects takes on, off or a percentage such as 25%, not nothing',
    ]);
  });

  test('is listed with what each does', () => {
    const { flags } = listFlags(DEFAULT_FLAGS);
    expect(flags.every(({ description, percent }) => description.length > 20 && percent === 100)).toBe(true);
  });
});
