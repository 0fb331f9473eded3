import { createHash } from 'node:crypto';
import type { Json } from '@flotilla/contracts';

/** SHA-256 of a value, whatever the order of its keys: what steps report and what was committed are compared by it. */
export function hashOf(value: Json): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder(value)))
    .digest('base64url');
}

function inOrder(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, inOrder(value[key]!)]),
  );
}
