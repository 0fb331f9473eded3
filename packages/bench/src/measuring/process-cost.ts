import { readFileSync } from 'node:fs';
import type { MeasuredProcess } from '../targets/target.ts';

/** Clock ticks a second and bytes a page in /proc, on every Linux this runs on. */
const TICKS = 100;
const PAGE_BYTES = 4096;
const SAMPLE_MS = 50;

/** Processor seconds that processes have used so far; undefined where /proc is not to be had. */
export function cpuSeconds(pids: readonly number[]): number | undefined {
  let ticks = 0;
  for (const pid of pids) {
    const fields = procFields(pid);
    if (fields === undefined) return undefined;
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/** Largest resident memory, in bytes, that the processes of each role had together. */
export type PeakMemory = Partial<Record<MeasuredProcess['role'], number>>;

/** Looks every 50 ms; `stop` gives the peaks. */
export function watchMemory(processes: readonly MeasuredProcess[]): { stop(): PeakMemory } {
  const peaks: PeakMemory = {};
  const look = () => {
    const sums: PeakMemory = {};
    for (const { role, pid } of processes) {
      const pages = Number(procFields(pid)?.[21] ?? 0);
      sums[role] = (sums[role] ?? 0) + pages * PAGE_BYTES;
    }
    for (const { role } of processes) peaks[role] = Math.max(peaks[role] ?? 0, sums[role] ?? 0);
  };
  look();
  const timer = setInterval(look, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return peaks;
    },
  };
}

/** The fields of /proc/<pid>/stat behind the name of the program: 11 user ticks, 12 system ticks, 21 resident pages. */
function procFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // no /proc here, or the process has ended: what depends on it is left out
  }
}
