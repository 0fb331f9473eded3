/** Marks the channels that belong to one run. */
const OF_RUN = '~';

/** The name that a channel is stored under: those of a run have the run's id in it. */
export function storedName({ name, scope }: { name: string; scope: 'run' | 'deployment' }, runId: string): string {
  return scope === 'run' ? `${runId}${OF_RUN}${name}` : name;
}
