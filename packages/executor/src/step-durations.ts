/** Weight of the newest measurement. */
const WEIGHT = 0.2;
/** A change by this factor is told at once, not only with the next heartbeat. */
const TELLING_FACTOR = 2;

/**
 * Recent durations of steps by `queue/handler`: the relay makes tasks of about 25 ms of work from them.
 * An exponentially weighted mean; `takeChanged` gives what others should hear of.
 */
export class StepDurations {
  readonly #means = new Map<string, { mean: number; told: number | undefined }>();

  note(name: string, durationMs: number): void {
    const known = this.#means.get(name);
    if (known === undefined) this.#means.set(name, { mean: durationMs, told: undefined });
    else known.mean += WEIGHT * (durationMs - known.mean);
  }

  /** Means that are new or have changed by a factor of two since they were last taken. */
  takeChanged(): [name: string, meanMs: number][] {
    const changed: [string, number][] = [];
    for (const [name, entry] of this.#means) {
      const { mean, told } = entry;
      const floor = Math.max(mean, 0.05);
      if (told !== undefined && floor < told * TELLING_FACTOR && floor > told / TELLING_FACTOR) continue;
      entry.told = floor;
      changed.push([name, floor]);
    }
    return changed;
  }
}
