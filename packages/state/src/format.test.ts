import { describe, expect, test } from '@jest/globals';
import * as format from './format.ts';

const alphabets = {
  STEP: format.STEP,
  RUN: format.RUN,
  ENDING: format.ENDING,
  DUE: format.DUE,
  FIELD: format.FIELD,
  PREFIX: format.PREFIX,
  JOIN: format.JOIN,
  CLAIM_TRAIT: format.CLAIM_TRAIT,
  COMMIT_TRAIT: format.COMMIT_TRAIT,
};

describe('the stored format', () => {
  test.each(Object.entries(alphabets))('has one letter for each name of %s', (_, letters) => {
    const values = Object.values(letters);
    expect(values.filter((letter) => letter.length !== 1)).toEqual([]);
    expect(new Set(values).size).toBe(values.length);
  });

  test('keeps a part of a header at one place, whatever the state of a step that is no map', () => {
    const { mapRunning: _running, mapSucceeded: _succeeded, ...others } = format.STEP;
    for (const state of Object.values(others)) {
      const positions: Record<string, number> = format.HEADER;
      expect(format.LAYOUT[state].map((part) => positions[part])).toEqual(
        format.LAYOUT[state].map((_, index) => index),
      );
    }
    const failedMap = format.FAILED_MAP_LAYOUT.slice(0, format.LAYOUT[format.STEP.failed].length);
    expect(failedMap).toEqual(format.LAYOUT[format.STEP.failed]);
  });

  test('has a layout for each state of a step', () => {
    expect(Object.keys(format.LAYOUT).sort()).toEqual(Object.values(format.STEP).sort());
  });
});
