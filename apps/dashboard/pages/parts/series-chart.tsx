import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Role } from '../states.ts';

export interface SeriesChartProps {
  label: string;
  /** Seconds since 1970. */
  times: readonly number[];
  lines: readonly { name: string; role: Role; values: readonly number[] }[];
}

const HEIGHT = 150;
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** Lines over time. The same numbers stand below as a legend that follows the pointer. */
export function SeriesChart({ label, times, lines }: SeriesChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const names = lines.map(({ name }) => name).join();
  const data = [times, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the chart is made once and fed below
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(chartOptions(element, lines), data, element);
    chart.current = made;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) made.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [names]);
  useEffect(() => chart.current?.setData(data));
  return <div className="chart" ref={place} role="img" aria-label={label} />;
}

function chartOptions(element: HTMLElement, lines: SeriesChartProps['lines']): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth || 300,
    height: HEIGHT,
    cursor: { y: false },
    scales: { y: { range: (_chart, _least, most) => [0, Math.max(1, most)] } },
    axes: [
      { ...axis, size: 28, values: (_chart, at) => at.map((second) => TIME.format(second * 1000)) },
      { ...axis, size: 36 },
    ],
    series: [
      { label: 'Time', value: '{HH}:{mm}' },
      ...lines.map(({ name, role }) => ({ label: name, stroke: colour(role), width: 1.5, points: { show: false } })),
    ],
  };
}
