/** What the agents know. Stands in for a search and a language model: put your own calls in their place. */
const SOURCES: Readonly<Record<string, string>> = {
  almanac: 'Tides follow the moon by about fifty minutes a day.',
  logbook: 'High water came half an hour after the table said.',
};

export function sourceNames(): string[] {
  return Object.keys(SOURCES);
}

/** What a source says; undefined when there is none of that name. */
export function noteOf(source: string): string | undefined {
  return SOURCES[source];
}
