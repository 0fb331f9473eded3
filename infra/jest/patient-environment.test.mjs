import { beforeEach, expect, test } from '@jest/globals';

const LIMIT_MS = 50;
const overdue = () => new Promise((resolve) => setTimeout(resolve, 2 * LIMIT_MS));
let begun = 0;
beforeEach(async () => {
  begun += 1;
  await overdue();
}, LIMIT_MS);

test.each([1, 2])(
  'a test and its hooks may take longer than their limits (time %d)',
  async (time) => {
    await overdue();
    expect(begun).toBe(time);
  },
  LIMIT_MS,
);
