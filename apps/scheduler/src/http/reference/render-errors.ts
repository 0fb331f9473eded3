import { ERROR_CODES } from '@flotilla/contracts';
import { PROBLEM_CODES } from '@flotilla/engine';
import { EDGE_PROBLEM_CODES } from '../problem-codes.ts';

/** docs/reference/errors.md, from the tables of codes. */
export function renderErrors(): string {
  return `${[
    '# Errors',
    '<!-- Generated from the tables of codes: `pnpm --filter @flotilla/scheduler run reference`. -->',
    'Every error has a stable `code`. Over HTTP it is an RFC 9457 problem document:',
    ['```json', EXAMPLE, '```'].join('\n'),
    FIELDS,
    '## Codes',
    'A code without a status is never an answer of the HTTP API: it stands in a run, a step, an exit message or an error ' +
      'that the client makes.',
    table(
      ['Code', 'Status', 'Meaning'],
      Object.entries(ERROR_CODES).map(([code, { status, title }]) => [`\`${code}\``, answered(code, status), title]),
    ),
    '## Codes of single problems in a definition',
    codeTable(PROBLEM_CODES),
    '## Codes of single problems in a request or configuration',
    codeTable(EDGE_PROBLEM_CODES),
  ].join('\n\n')}\n`;
}

const FIELDS = `- \`detail\` is for people and may change; programs look at \`code\`.
- \`problems\`: every single thing that is wrong, all at once. \`path\` is a JSON pointer: into the definition for
  \`DEFINITION_INVALID\`, else into the body (or the name of the query parameter). A problem with
  \`"severity": "warning"\` does not refuse anything.
- \`retryAfterMs\`, and the header \`Retry-After\`: when trying again can help, the time after which it may.
- \`ambiguous\`: \`true\` when the call may have taken effect although it failed. Repeat it with the same run id or
  idempotency key; the client does so by itself.`;

const EXAMPLE = JSON.stringify(
  {
    type: 'urn:flotilla:error:INPUT_INVALID',
    title: ERROR_CODES.INPUT_INVALID.title,
    status: 422,
    code: 'INPUT_INVALID',
    detail: "/input/orderId: must have required property 'orderId'",
    instance: '/v1/runs',
    problems: [{ code: 'INPUT_INVALID', path: '/input/orderId', message: "must have required property 'orderId'" }],
  },
  null,
  2,
);

/** Codes that have a status for the sake of retries only. */
const NEVER_ANSWERED: ReadonlySet<string> = new Set(['SCHEDULER_UNREACHABLE', 'CALL_ABORTED', 'DRAINING']);

/** Codes of 500 are those of steps and of starting up, apart from the one that the API does answer with. */
function answered(code: string, status: number): string {
  if (NEVER_ANSWERED.has(code)) return '';
  return status !== 500 || code === 'INTERNAL' ? String(status) : '';
}

function codeTable(codes: Readonly<Record<string, string>>): string {
  return table(
    ['Code', 'Meaning'],
    Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
