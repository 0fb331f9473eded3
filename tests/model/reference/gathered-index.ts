/** A score that is known only to lie between two readings of Redis' clock. */
export interface Score {
  from: number;
  to: number;
}

/**
 * A sorted set as the transitions of one script call see it: what they change shows only after the last of them.
 * Members are told apart by partition.
 */
export class GatheredIndex {
  readonly #members = new Map<string, Map<string, Score>>();
  #changes: { tag: string; member: string; score: Score | undefined }[] = [];

  set(tag: string, member: string, score: Score): void {
    this.#changes.push({ tag, member, score });
  }

  remove(tag: string, member: string): void {
    this.#changes.push({ tag, member, score: undefined });
  }

  /** Written at once, past the gathering: `ZADD NX`, and what a test does behind the transitions' back. */
  writeNow(tag: string, member: string, score: Score): void {
    this.of(tag).set(member, score);
  }

  deleteNow(tag: string, member: string): void {
    this.of(tag).delete(member);
  }

  of(tag: string): Map<string, Score> {
    let members = this.#members.get(tag);
    if (members === undefined) {
      members = new Map();
      this.#members.set(tag, members);
    }
    return members;
  }

  /** Members that are surely due, in the order in which Redis gives them. */
  due(tag: string): string[] {
    return [...this.of(tag)]
      .filter(([, { to }]) => to <= DUE_NOW)
      .map(([member]) => member)
      .sort();
  }

  flush(): void {
    for (const { tag, member, score } of this.#changes) {
      if (score === undefined) this.of(tag).delete(member);
      else this.of(tag).set(member, score);
    }
    this.#changes = [];
  }
}

/** The score that tests give to members whose time has come. */
export const DUE_NOW = 1;
