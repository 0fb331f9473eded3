import { extname, join } from 'node:path';

/** The module behind `flotilla bench`, for a Node process of its own. Its one argument is a `BenchRequest` as JSON. */
export const benchProgram = join(import.meta.dirname, `bench${extname(import.meta.filename)}`);
