/** A cell; undefined is shown as a dash, a number that is none too. */
export type Cell = string | number | undefined;

export interface TableColumn {
  title: string;
  /** Decimal places of numbers. Default 0. Columns with numbers are aligned right. */
  places?: number;
}

/** A Markdown table whose columns line up in plain text too. */
export function markdownTable(columns: readonly (TableColumn | string)[], rows: readonly (readonly Cell[])[]): string {
  const heads = columns.map((column) => (typeof column === 'string' ? { title: column } : column));
  const shown = rows.map((row) => heads.map(({ places = 0 }, index) => show(row[index], places)));
  const right = heads.map((_, index) => rows.some((row) => typeof row[index] === 'number'));
  const widths = heads.map(({ title }, index) => Math.max(3, title.length, ...shown.map((row) => row[index]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => (right[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (right[at] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`;
  return [line(heads.map(({ title }) => title)), rule, ...shown.map(line)].join('\n');
}

function show(cell: Cell, places: number): string {
  if (typeof cell === 'string') return cell;
  return cell === undefined || Number.isNaN(cell) ? '–' : cell.toFixed(places);
}
