/** Names beyond this are not compared: a suggestion is not worth the time. */
const MOST_CANDIDATES = 500;
const LONGEST_NAME = 128;

/**
 * The candidate that somebody who wrote `name` most likely meant: one that differs by a typo or two, or by a prefix up to
 * a dot (`send` for `invoice.send`). Undefined when none is near. Candidates beyond the first 500 are not looked at.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  let nearest: string | undefined;
  let least = mostTypos(name) + 1;
  let looked = 0;
  for (const candidate of candidates) {
    looked += 1;
    if (looked > MOST_CANDIDATES) break;
    if (candidate === name || Math.abs(candidate.length - name.length) >= least) {
      if (isTail(name, candidate)) nearest ??= candidate;
      continue;
    }
    const typos = candidate.toLowerCase() === name.toLowerCase() ? 0 : countTypos(name, candidate);
    if (typos >= least) continue;
    nearest = candidate;
    least = typos;
  }
  return nearest;
}

/** ` (did you mean NAME?)`, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
}

/** A third of a name may be wrong, three characters at most. */
function mostTypos(name: string): number {
  return Math.max(1, Math.min(3, Math.floor(name.length / 3)));
}

function isTail(one: string, other: string): boolean {
  return one !== other && (one.endsWith(`.${other}`) || other.endsWith(`.${one}`));
}

/** Characters to insert, delete, replace or swap with their neighbour to make one text of the other. */
function countTypos(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const replaced = last[column - 1]! + (one[row - 1] === other[column - 1] ? 0 : 1);
      let typos = Math.min(replaced, last[column]! + 1, current[column - 1]! + 1);
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) typos = Math.min(typos, beforeLast[column - 2]! + 1);
      current.push(typos);
    }
    beforeLast = last;
    last = current;
  }
  return last[other.length]!;
}
