import { cpuUsage, memoryUsage } from 'node:process';

const SAMPLE_MS = 1000;

/** What this process takes, looked at every second: attempts end thousands of times in one. */
export class ProcessLoad {
  memoryBytes = memoryUsage.rss();
  /** Of one core, over the last second. */
  cpuUtilization = 0;
  readonly #timer: NodeJS.Timeout;
  #usedBefore = cpuUsage();
  #sampledAt = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = performance.now();
    const { user, system } = cpuUsage(this.#usedBefore);
    this.cpuUtilization = Math.round((user + system) / (now - this.#sampledAt)) / 1000;
    this.#usedBefore = cpuUsage();
    this.#sampledAt = now;
    this.memoryBytes = memoryUsage.rss();
  }
}
