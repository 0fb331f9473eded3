import { isLegalId } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { newRunId } from './new-run-id.ts';

describe('newRunId', () => {
  test('makes legal ids that are never the same and spread over all partitions', () => {
    const ids = Array.from({ length: 5000 }, newRunId);
    expect(new Set(ids).size).toBe(5000);
    for (const id of ids) {
      expect(id).toMatch(/^\d\d-[a-z2-7]{24}$/);
      expect(isLegalId(id)).toBe(true);
    }
    expect(new Set(ids.map((id) => Number(id.slice(0, 2)) % 8)).size).toBe(8);
  });
});
