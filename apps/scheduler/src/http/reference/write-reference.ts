import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderReferencePages } from './reference-pages.ts';

/** Writes the generated pages of docs/reference; a test compares them with the code. */
const folder = fileURLToPath(new URL('../../../../../docs/reference/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(await renderReferencePages())) writeFileSync(folder + name, text);
