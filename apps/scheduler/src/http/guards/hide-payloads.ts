import { createHash } from 'node:crypto';

/** Fields of answers that hold what runs and messages carry. */
const PAYLOAD_FIELDS: ReadonlySet<string> = new Set(['input', 'output', 'inputTemplate', 'item', 'progress', 'body']);
/** An approval's action is what a run proposes; elsewhere the word names what is done to runs. */
const APPROVAL_FIELDS: ReadonlySet<string> = new Set([...PAYLOAD_FIELDS, 'action']);
/** What looks alike inside these belongs to a definition, which is no payload. */
const DEFINITION_FIELDS: ReadonlySet<string> = new Set(['definition']);

/** An answer for a key without the scope `payloads`: of each payload its size and hash, so that it can be compared. */
export function hidePayloads(answer: unknown, route = ''): unknown {
  return hide(answer, route.startsWith('/v1/approvals') ? APPROVAL_FIELDS : PAYLOAD_FIELDS);
}

function hide(value: unknown, payloads: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => hide(each, payloads));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (DEFINITION_FIELDS.has(name)) return [name, field];
      const isPayload = payloads.has(name) && field !== undefined;
      return [name, isPayload ? { hidden: describePayload(field) } : hide(field, payloads)];
    }),
  );
}

function describePayload(payload: unknown): { bytes: number; sha256: string } {
  const text = JSON.stringify(payload);
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
