/** Labels whose values users choose, and how many of each are told apart. */
const MAX_VALUES = 100;
const CHOSEN_BY_USERS: ReadonlySet<string> = new Set(['workflow', 'handler', 'breaker', 'queue']);
const OTHER = 'other';

type Labels = Readonly<Record<string, string>>;

/**
 * Keeps the number of series bounded whatever users name things: the first hundred values of a label are kept for as long as the
 * process lives, those that come later are `other`.
 */
export class BoundLabels {
  readonly #known = new Map<string, Set<string>>();

  bound(labels: Labels): Labels {
    let bounded: Record<string, string> | undefined;
    for (const name in labels) {
      if (!CHOSEN_BY_USERS.has(name) || this.#isKept(name, labels[name] ?? '')) continue;
      bounded ??= { ...labels };
      bounded[name] = OTHER;
    }
    return bounded ?? labels;
  }

  #isKept(name: string, value: string): boolean {
    const known = this.#known.get(name) ?? new Set<string>();
    if (known.has(value)) return true;
    if (known.size >= MAX_VALUES) return false;
    this.#known.set(name, known.add(value));
    return true;
  }
}
