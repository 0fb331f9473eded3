import type { Problem } from '@flotilla/contracts';
import { LRUCache } from 'lru-cache';
import type { Plan } from './plan.ts';

/** What is remembered of a definition that compiled: warnings have paths of the definition itself. */
export interface CachedPlan {
  plan: Plan;
  warnings: readonly Problem[];
}

interface Entry extends CachedPlan {
  canonicalText: string;
}

/**
 * Compiled plans by content. The hash only finds an entry; it is used when the canonical text is equal too, so that
 * two workflows never share a result, whatever a hash function may do.
 */
export class PlanCache {
  readonly #entries: LRUCache<string, Entry>;

  /** Keeps plans of definitions that have at most `maxCharacters` together. */
  constructor(maxCharacters = 33_554_432) {
    this.#entries = new LRUCache({
      max: 2000,
      maxSize: maxCharacters,
      sizeCalculation: (entry) => entry.canonicalText.length + 1,
    });
  }

  get(hash: string, canonicalText: string, maxDepth: number): CachedPlan | undefined {
    const entry = this.#entries.get(hash);
    return entry?.canonicalText === canonicalText && entry.plan.depth <= maxDepth ? entry : undefined;
  }

  set(canonicalText: string, compiled: CachedPlan): void {
    this.#entries.set(compiled.plan.hash, { ...compiled, canonicalText });
  }

  clear(): void {
    this.#entries.clear();
  }
}
