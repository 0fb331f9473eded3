import { join } from 'node:path';
import { PROJECT_FOLDER } from '@flotilla/local-fleet';

/** Where recordings and reports go unless the caller names a folder: beside the logs when these have a place of their own. */
export function resultsFolder(name: string): string {
  const logs = process.env['FLOTILLA_LOGS'];
  return logs === undefined || logs === ''
    ? join(PROJECT_FOLDER, '.flotilla', 'chaos', name)
    : join(logs, 'chaos', name);
}
