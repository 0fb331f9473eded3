import { FlotillaError, type Problem, pointerToken } from '@flotilla/contracts';
import type { z } from 'zod';
import type { EdgeProblemCode } from './problem-codes.ts';

const MAX_PROBLEMS = 100;

/** The issues of a failed parse as problems with JSON pointers; alternatives of a union are told as one problem. */
export function zodProblems(error: z.core.$ZodError, prefix = ''): Problem[] {
  const problems: Problem[] = [];
  for (const issue of error.issues) {
    if (problems.length >= MAX_PROBLEMS) break;
    const path = prefix + issue.path.map((key) => `/${pointerToken(String(key).slice(0, 256))}`).join('');
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.slice(0, MAX_PROBLEMS)) {
        const shown = key.slice(0, 128);
        problems.push({
          code: 'UNKNOWN_FIELD',
          path: `${path}/${pointerToken(shown)}`,
          message: `unknown field ${shown}`,
        });
      }
    } else {
      problems.push({ code: codeOf(issue), path, message: issue.message });
    }
  }
  return problems;
}

function codeOf(issue: z.core.$ZodIssue): EdgeProblemCode {
  if (issue.code === 'invalid_type') return issue.message.endsWith('undefined') ? 'MISSING_FIELD' : 'WRONG_TYPE';
  if (issue.code === 'custom' && issue.message.startsWith('expected an id')) return 'ILLEGAL_ID';
  return 'ILLEGAL_VALUE';
}

export function validationFailed(problems: readonly Problem[]): FlotillaError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  return new FlotillaError('VALIDATION_FAILED', `${where}${first?.message ?? 'not as expected'}${more}`, { problems });
}

/** Parses a value that is already known to be JSON; VALIDATION_FAILED with all problems. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw validationFailed(zodProblems(result.error));
}
