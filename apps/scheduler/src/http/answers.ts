import { problemDocumentZ } from '@flotilla/contracts';
import { z } from 'zod';

/** Answers in the OpenAPI document that every route may give. */
export const problemAnswer = {
  default: {
    description: 'A problem document; docs/reference/errors.md lists the codes',
    content: { 'application/problem+json': { schema: problemDocumentZ } },
  },
};

/** One page of a list. */
export const pageQueryZ = z.strictObject({
  cursor: z.string().min(1).max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

/** The page without what was not given. */
export function pageOf(query: { cursor?: string | undefined; limit: number }): { cursor?: string; limit: number } {
  return { limit: query.limit, ...(query.cursor !== undefined && { cursor: query.cursor }) };
}
