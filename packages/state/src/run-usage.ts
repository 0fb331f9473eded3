/** What was used: money in millionths of a dollar, and tokens. */
export interface Usage {
  costMicros: number;
  tokens: number;
}

export const MICROS_PER_USD = 1_000_000;

/** Of the stored text `cost|tokens`; what is absent is nothing. */
export function parseUsage(stored: string | null | undefined): Usage {
  const [costMicros = 0, tokens = 0] = stored?.split('|').map(Number) ?? [];
  return { costMicros, tokens };
}
