import { type Cell, markdownTable, median } from '@flotilla/reporting';
import type { Figures } from './figures.ts';

/** What is wanted of a measure: the first bar must be met, the aim is where it should go. */
interface Bar {
  measure: string;
  figureOf: (figures: Figures) => number;
  unit: string;
  first: number;
  aim: number;
  better: 'more' | 'less';
  /** The size of the workload is part of the measure: judged at scale 1 alone. */
  sized?: true;
}

export interface BarFigure extends Omit<Bar, 'figureOf'> {
  here: number;
}

const BARS: readonly Bar[] = [
  { measure: 'chain', figureOf: timesPlain('chain'), unit: 'x plain', first: 1.5, aim: 3, better: 'more' },
  { measure: 'fan', figureOf: timesPlain('fan'), unit: 'x plain', first: 1.5, aim: 3, better: 'more' },
  {
    measure: 'latency, p50',
    figureOf: (figures) => figures.latency('flotilla', 0.5),
    unit: 'ms a step',
    first: 0.8,
    aim: 0.3,
    better: 'less',
  },
  {
    measure: '1,000 active',
    figureOf: seconds('active-1000'),
    unit: 's',
    first: 1.6,
    aim: 1.1,
    better: 'less',
    sized: true,
  },
  {
    measure: '5,000 active',
    figureOf: seconds('active-5000'),
    unit: 's',
    first: 3.5,
    aim: 1.5,
    better: 'less',
    sized: true,
  },
  {
    measure: 'processor, chain',
    figureOf: processor('chain'),
    unit: 's a 1000 steps',
    first: 0.12,
    aim: 0.05,
    better: 'less',
  },
  {
    measure: 'processor, fan',
    figureOf: processor('fan'),
    unit: 's a 1000 steps',
    first: 0.12,
    aim: 0.05,
    better: 'less',
  },
  {
    measure: 'Redis, active run of 10 steps',
    figureOf: (figures) => figures.bytesOfRun('flotilla', 'ownKeys') / 1024,
    unit: 'KB',
    first: 4,
    aim: 1.5,
    better: 'less',
  },
  {
    measure: 'step of a 10,000-step run / of a 10-step run',
    figureOf: (figures) => Math.max(...['big-layers', 'big-fan'].map((name) => figures.bigToSmall(name, 'time'))),
    unit: 'x',
    first: 1.5,
    aim: 1.2,
    better: 'less',
    sized: true,
  },
  {
    measure: '2 and 4 worker processes, waiting steps',
    figureOf: (figures) => Math.min(...[2, 4].map((workers) => figures.ofLinear(workers, 'flotilla'))),
    unit: 'of linear',
    first: 0.95,
    aim: 1,
    better: 'more',
  },
];

/** Those that were measured. */
export function barFigures(figures: Figures): BarFigure[] {
  return BARS.map(({ figureOf, ...bar }) => ({ ...bar, here: figureOf(figures) })).filter(({ here }) =>
    Number.isFinite(here),
  );
}

/** Undefined where the scale does not allow a judgement. */
export function isMet({ here, first, better, sized }: BarFigure, scale: number): boolean | undefined {
  if (sized && scale !== 1) return undefined;
  return better === 'more' ? here >= first : here <= first;
}

export function barsTable(bars: readonly BarFigure[], scale: number): string {
  const rows = bars.map((bar): Cell[] => {
    const sign = bar.better === 'more' ? '>=' : '<=';
    const met = { true: 'yes', false: 'no', undefined: 'at scale 1 only' }[`${isMet(bar, scale)}`];
    return [bar.measure, bar.here, bar.unit, `${sign} ${bar.first}`, `${sign} ${bar.aim}`, met];
  });
  return markdownTable(['measure', { title: 'here', places: 2 }, 'unit', 'first bar', 'aim', 'first bar met'], rows);
}

function timesPlain(workload: string): Bar['figureOf'] {
  return (figures) => median(figures.timesPlain(workload, 'flotilla'));
}

function seconds(workload: string): Bar['figureOf'] {
  return (figures) => figures.median(workload, 'flotilla', (sample) => sample.seconds);
}

function processor(workload: string): Bar['figureOf'] {
  return (figures) =>
    figures.median(workload, 'flotilla', ({ cpuSeconds = Number.NaN, count }) => (cpuSeconds / count) * 1000);
}
