import type { RedisClient } from '@flotilla/redis';

/** Counters of Redis; those of scripts are in them: a script's own calls count as commands. */
export interface RedisCounters {
  commands: number;
  inBytes: number;
  outBytes: number;
  /** Memory in use, not a counter: its difference is what a workload left behind. */
  memoryBytes: number;
}

export async function redisCounters(client: RedisClient): Promise<RedisCounters> {
  const info = `${await client.info('stats')}\n${await client.info('memory')}`;
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? Number.NaN);
  return {
    commands: field('total_commands_processed'),
    inBytes: field('total_net_input_bytes'),
    outBytes: field('total_net_output_bytes'),
    memoryBytes: field('used_memory'),
  };
}

export function difference(after: RedisCounters, before: RedisCounters): RedisCounters {
  return {
    commands: after.commands - before.commands,
    inBytes: after.inBytes - before.inBytes,
    outBytes: after.outBytes - before.outBytes,
    memoryBytes: after.memoryBytes - before.memoryBytes,
  };
}

const LONGEST_LIST = 12;

/** The commands that took longest since `CONFIG RESETSTAT`, a line each. */
export async function costliestCommands(client: RedisClient, steps: number): Promise<string[]> {
  const stats = (await client.info('commandstats')).matchAll(/cmdstat_(\S+?):calls=(\d+),usec=(\d+)/g);
  return Array.from(stats, ([, name, calls, microseconds]) => ({
    name,
    calls: Number(calls) / steps,
    microseconds: Number(microseconds) / steps,
  }))
    .toSorted((a, b) => b.microseconds - a.microseconds)
    .slice(0, LONGEST_LIST)
    .map((row) => `  ${row.name}: ${row.calls.toFixed(2)} calls and ${row.microseconds.toFixed(1)} us a step`);
}
