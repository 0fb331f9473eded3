/** Later than this, attempts that wait for the event loop feel it. */
const LATE_MS = 300;
/** Below it the loop was late because others had the processor: fewer attempts would change nothing. */
const OWN_CPU_SHARE = 0.5;
/** One long turn, a large collection of garbage or a slow start of the machine, is no reason to take less work. */
const MIN_LATE_LOOKS = 2;

/** True when a timer of this process came late because the process itself computed. `cpuShare`: of the time, 0 to 1 and more with threads. */
export function isLateByItself(lagMs: number, cpuShare: number): boolean {
  return lagMs >= LATE_MS && cpuShare >= OWN_CPU_SHARE;
}

/** Tells a loop that is late again and again from one that was late once. */
export class SustainedLag {
  #lateLooks = 0;
  #lateMs = 0;

  /** Takes one look; answers for how long altogether the looks have been late one after the other, 0 for a single one. */
  note(lagMs: number, cpuShare: number): number {
    if (!isLateByItself(lagMs, cpuShare)) {
      this.#lateLooks = 0;
      this.#lateMs = 0;
      return 0;
    }
    this.#lateLooks += 1;
    this.#lateMs += lagMs;
    return this.#lateLooks < MIN_LATE_LOOKS ? 0 : this.#lateMs;
  }
}
