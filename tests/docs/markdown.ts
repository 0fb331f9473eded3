import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const project = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'templates']);

/** All documents of the project, by their path in it; those of created projects speak of other scripts and files. */
export function documents(): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(project, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name) && !entry.name.startsWith('.')) visit(path);
      } else if (entry.name.endsWith('.md')) found.push(path);
    }
  };
  visit('');
  return found.sort();
}

export function read(path: string): string {
  return readFileSync(join(project, path), 'utf8');
}

export interface Block {
  language: string;
  text: string;
  /** The file in a comment `<!-- from: path -->` right before the block. */
  from: string | undefined;
  line: number;
}

/** The fenced blocks of a document. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  for (const match of markdown.matchAll(/(?:^<!-- from: (\S+) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const line = markdown.slice(0, match.index).split('\n').length;
    blocks.push({ from: match[1], language: match[2]!, text: match[3]!, line });
  }
  return blocks;
}

export interface Table {
  /** The heading that it stands under, without the #. */
  heading: string;
  header: string[];
  rows: string[][];
}

/** The tables of a document. Cells are trimmed; a pipe inside code is written \| and comes back as |. */
export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = [];
  let heading = '';
  let open: Table | undefined;
  for (const line of withoutBlocks(markdown).split('\n')) {
    if (line.startsWith('#')) heading = line.replace(/^#+ */, '');
    if (!line.startsWith('|')) {
      open = undefined;
    } else if (open === undefined) {
      open = { heading, header: cellsOf(line), rows: [] };
      tables.push(open);
    } else if (!/^\|[\s|:-]+$/.test(line)) open.rows.push(cellsOf(line));
  }
  return tables;
}

/** The text in the backticks of a cell; the cell itself when it has none. */
export function codeIn(cell: string): string {
  return /`([^`]+)`/.exec(cell)?.[1] ?? cell;
}

/** Targets of the links, without those of other machines. */
export function linksOf(markdown: string): string[] {
  const links = Array.from(withoutBlocks(markdown).matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1]!);
  return links.filter((link) => !/^[a-z]+:/.test(link));
}

/** What a heading's link is called, as GitHub makes it. */
function anchorsOf(markdown: string): Set<string> {
  const headings = withoutBlocks(markdown).matchAll(/^#+ +(.+)$/gm);
  return new Set(
    Array.from(headings, ([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Why a link of a document leads nowhere; undefined when it leads somewhere. */
export function brokenLink(document: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : relative(project, resolve(project, dirname(document), path));
  if (target.startsWith('..') || !existsSync(join(project, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined || !target.endsWith('.md')) return undefined;
  return anchorsOf(read(target)).has(anchor) ? undefined : `${link}: ${target} has no such heading`;
}

function withoutBlocks(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '');
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\||\|\s*$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}
