import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './up/program-files.ts';

/** How people call the command here: in a checkout, whose workspace file is not packed, by its script. */
export const COMMAND = existsSync(join(projectFolder, 'pnpm-workspace.yaml')) ? './flotilla' : 'npx flotilla';
