import { readFileSync } from 'node:fs';

/** Clock ticks a second of /proc; 100 on every Linux this runs on. */
const TICKS = 100;

/** Processor seconds that processes have used so far; undefined where /proc is not to be had. */
export function cpuSeconds(pids: readonly number[]): number | undefined {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      return undefined;
    }
  }
  return ticks / TICKS;
}
