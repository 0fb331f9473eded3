import { z } from 'zod';

/** Milliseconds since 1970 on Redis' clock, up to what a Date can hold. */
export const timestampZ = z.number().int().min(0).max(8_640_000_000_000_000);

/** The same in a query string. */
export const timestampQueryZ = z.coerce.number().pipe(timestampZ);
