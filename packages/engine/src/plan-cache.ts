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

  /** Keeps plans that take about `maxBytes` of memory together. */
  constructor(maxBytes = 67_108_864) {
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      // One that is larger than all of it is still remembered, alone.
      sizeCalculation: ({ plan, canonicalText }) => Math.min(maxBytes, plan.memoryBytes + canonicalText.length),
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
