import { createHash } from 'node:crypto';

/** Fields of answers that hold what runs carry. */
const PAYLOAD_FIELDS: ReadonlySet<string> = new Set(['input', 'output', 'inputTemplate', 'item']);
/** What looks alike inside these belongs to a definition, which is no payload. */
const DEFINITION_FIELDS: ReadonlySet<string> = new Set(['definition']);

/** An answer for a key without the scope `payloads`: of each payload its size and hash, so that it can be compared. */
export function hidePayloads(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hidePayloads);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (DEFINITION_FIELDS.has(name)) return [name, field];
      const isPayload = PAYLOAD_FIELDS.has(name) && field !== undefined;
      return [name, isPayload ? { hidden: describePayload(field) } : hidePayloads(field)];
    }),
  );
}

function describePayload(payload: unknown): { bytes: number; sha256: string } {
  const text = JSON.stringify(payload);
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
