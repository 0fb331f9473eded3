const SIGNIFICANCE = 0.05;
const HALVINGS = 100;

/**
 * The lower bound, at 95 % confidence, of the share of runs that end right when `failed` of `total` did not: the one-sided
 * interval of Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
 * Biometrika 26 (1934) 404-413. It is exact: the share at which so few failures, or fewer, would be seen in one of twenty
 * series. Without any failure that is 0.05^(1/total), which the rule of three, 1 - 3/total, comes close to.
 *
 * From 0 to 1; 0 when nothing is known because there were no runs.
 */
export function leastCompletionRate(failed: number, total: number): number {
  if (total === 0 || failed >= total) return 0;
  if (failed === 0) return SIGNIFICANCE ** (1 / total);
  // The more often runs fail, the less probable it is to see so few: the bound is where that falls to 5 %.
  let [low, high] = [0, 1];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const middle = (low + high) / 2;
    if (probabilityOfAtMost(failed, total, middle) > SIGNIFICANCE) low = middle;
    else high = middle;
  }
  return 1 - high;
}

/** Of a binomial distribution, summed in logarithms: the single terms of ten thousand runs are too small for a double. */
function probabilityOfAtMost(count: number, total: number, share: number): number {
  let [logTerm, sum] = [total * Math.log1p(-share), 0];
  for (let failures = 0; failures <= count; failures += 1) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((total - failures) / (failures + 1)) + Math.log(share) - Math.log1p(-share);
  }
  return sum;
}
