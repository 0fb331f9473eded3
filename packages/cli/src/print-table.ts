import { plainText } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

/** Prints rows under headings, columns as wide as their widest cell. The last column is not padded. */
export function printTable(
  terminal: Terminal,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const cells = [headings, ...rows.map((row) => row.map(plainText))];
  const widths = headings.map((_heading, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  for (const row of cells) {
    const padded = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)));
    terminal.write(`${padded.join('  ').trimEnd()}\n`);
  }
}

/** Prints one JSON document, the only thing on stdout of a command with `--json`. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(terminal: Terminal, line = ''): void {
  terminal.write(`${line}\n`);
}
