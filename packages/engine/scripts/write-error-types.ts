/** Writes docs/reference/error-types.md; a test fails when it is not up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { EXAMPLE, renderErrorTypes } from '../src/render-error-types.ts';

const project = new URL('../../../', import.meta.url);
const example = readFileSync(new URL(EXAMPLE, project), 'utf8');
writeFileSync(new URL('docs/reference/error-types.md', project), renderErrorTypes(example));
