import { median, quantile, ratiosByRound } from '@flotilla/reporting';
import { idealScalingRate, SCALING_WORKERS } from '../families/scaling.ts';
import { rateOf, type Sample, type Samples } from '../measuring/sample.ts';
import type { BenchTarget } from '../options.ts';

/** Everything that is worked out of samples; tables, bars, chart and baseline all ask here. */
export class Figures {
  readonly samples: Samples;

  constructor(samples: Samples) {
    this.samples = samples;
  }

  /** In the order in which they were first measured. */
  workloads(): string[] {
    return [...new Set(this.samples.samples.map(({ workload }) => workload))];
  }

  targets(workload: string): BenchTarget[] {
    const names = this.samples.samples.filter((sample) => sample.workload === workload).map(({ target }) => target);
    const order: readonly BenchTarget[] = ['plain', 'limit', 'flotilla'];
    return order.filter((name) => names.includes(name));
  }

  of(workload: string, target: BenchTarget): Sample[] {
    return this.samples.samples.filter((sample) => sample.workload === workload && sample.target === target);
  }

  /** Median over the rounds; NaN when it was not measured. */
  median(workload: string, target: BenchTarget, figureOf: (sample: Sample) => number): number {
    return median(this.of(workload, target).map(figureOf));
  }

  /** How many times as fast as BullMQ plain, in each round. */
  timesPlain(workload: string, target: BenchTarget): number[] {
    return ratiosByRound(this.of(workload, target), this.of(workload, 'plain'), rateOf);
  }

  /** Processor time of BullMQ plain by that of Flotilla, in each round. */
  plainProcessor(workload: string): number[] {
    const costOf = ({ cpuSeconds = Number.NaN, count }: Sample) => cpuSeconds / count;
    return ratiosByRound(this.of(workload, 'plain'), this.of(workload, 'flotilla'), costOf);
  }

  latency(target: BenchTarget, share: number): number {
    const ofTarget = this.samples.latencies.filter((sample) => sample.target === target);
    return quantile(
      ofTarget.flatMap(({ stepMs }) => stepMs),
      share,
    );
  }

  /** How many times as quick a step as with BullMQ plain, in each round, by the medians of the rounds. */
  latencyTimesPlain(): number[] {
    const of = (name: BenchTarget) => this.samples.latencies.filter(({ target }) => target === name);
    return ratiosByRound(of('plain'), of('flotilla'), ({ stepMs }) => median(stepMs));
  }

  /** Cost of a step of one big run, in steps of small runs: by time, or by processor. */
  bigToSmall(workload: string, cost: 'time' | 'processor'): number {
    const costOf = ({ seconds, cpuSeconds = Number.NaN, count }: Sample) =>
      (cost === 'time' ? seconds : cpuSeconds) / count;
    return median(ratiosByRound(this.of(workload, 'flotilla'), this.of(`${workload}, small`, 'flotilla'), costOf));
  }

  /** Steps a second with so many workers, against as many times the steps of one; NaN when it was not measured. */
  ofLinear(workers: number, target: BenchTarget): number {
    const ratios = ratiosByRound(this.of(`scaling-${workers}`, target), this.of('scaling-1', target), rateOf);
    return median(ratios) / workers;
  }

  ofIdeal(workers: number, target: BenchTarget): number {
    return this.median(`scaling-${workers}`, target, rateOf) / idealScalingRate(workers);
  }

  bytesOfRun(target: BenchTarget, keys: 'ownKeys' | 'allKeys'): number {
    const ofTarget = this.samples.runBytes.filter((entry) => entry.target === target);
    return median(ofTarget.map((entry) => entry[keys] ?? Number.NaN));
  }

  /** What a baseline keeps, by name. More is better for each. */
  ratios(): Record<string, number> {
    const ratios: Record<string, number> = {};
    const plain = ['chain', 'fan', 'active-1000', 'active-5000', 'submit-single', 'submit-batch'];
    for (const workload of plain) ratios[`${workload} x plain`] = median(this.timesPlain(workload, 'flotilla'));
    // Moves less than the time when the machine is busy with something else.
    for (const workload of ['chain', 'fan'])
      ratios[`${workload}: processor of plain / of Flotilla`] = median(this.plainProcessor(workload));
    ratios['latency x plain'] = median(this.latencyTimesPlain());
    for (const workload of ['big-layers', 'big-fan'])
      ratios[`${workload}: step of a small run / of a big run`] = 1 / this.bigToSmall(workload, 'time');
    for (const workers of SCALING_WORKERS.slice(1))
      ratios[`scaling-${workers} of linear`] = this.ofLinear(workers, 'flotilla');
    return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio)));
  }
}
