import { fileURLToPath } from 'node:url';

const files = new Set<string>();
let onImport: ((file: string) => void) | undefined;

/** Called for each module that is found while handlers are loaded, and whenever they import more. */
export function noteImport(url: string): void {
  if (!url.startsWith('file:') || url.includes('/node_modules/')) return;
  const file = fileURLToPath(url.replace(/[?#].*$/, ''));
  if (files.has(file)) return;
  files.add(file);
  onImport?.(file);
}

/** The user's own files that the handlers consist of: those until now, and each further one. */
export function followImports(listener: (file: string) => void): void {
  onImport = listener;
  for (const file of files) listener(file);
}
