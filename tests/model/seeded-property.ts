import fc from 'fast-check';

export interface PropertySettings {
  numRuns: number;
  /** No further examples are tried after this time: a slow machine tries fewer. */
  timeLimitMs: number;
}

/** Looking for the smallest example that fails takes no longer than this. */
const SHRINK_LIMIT_MS = 60_000;

/** Checks a property with the seed in FLOTILLA_SEED, or one by chance; a failure says how to see it again. */
export async function checkProperty<T>(
  arbitrary: fc.Arbitrary<T>,
  predicate: (example: T) => Promise<void>,
  { numRuns, timeLimitMs }: PropertySettings,
): Promise<void> {
  const given = process.env['FLOTILLA_SEED'];
  const seed = given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  let deadline = performance.now() + timeLimitMs;
  let hasFailed = false;
  const property = fc.asyncProperty(arbitrary, async (example) => {
    if (performance.now() > deadline) return;
    try {
      await predicate(example);
    } catch (error) {
      if (!hasFailed) deadline = performance.now() + SHRINK_LIMIT_MS;
      hasFailed = true;
      throw error;
    }
  });
  const result = await fc.check(property, { seed, numRuns });
  if (!result.failed) return;
  const report = fc.defaultReportMessage(result) ?? 'the property does not hold';
  throw new Error(`seen again with FLOTILLA_SEED=${seed}\n${report}`, { cause: result.errorInstance });
}
