import type { RunView } from '@flotilla/contracts';

/** The rows on the page as a file of comma-separated values. */
export function exportRuns(rows: readonly RunView[]): void {
  const header = ['runId', 'workflow', 'version', 'status', 'createdAt', 'endedAt', 'errorCode', 'tags'];
  const lines = rows.map((run) => [
    ...[run.runId, run.workflow, run.version ?? '', run.status, new Date(run.createdAt).toISOString()],
    ...[
      run.endedAt === undefined ? '' : new Date(run.endedAt).toISOString(),
      run.error?.code ?? '',
      run.tags.join(' '),
    ],
  ]);
  saveFile('runs.csv', [header, ...lines].map((line) => line.map(quote).join(',')).join('\n'), 'text/csv');
}

/** A cell that begins like a formula would be one in a spreadsheet. */
function quote(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function saveFile(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
