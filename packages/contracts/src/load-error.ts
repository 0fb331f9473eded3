/**
 * Why a module could not be loaded, for people. A syntax error says where it is only in its stack, and not in its message.
 * @param cwd what the place is shown relative to.
 */
export function describeLoadError(error: unknown, cwd: string): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  const { name, message, stack = '' } = error as Error;
  const [, url, line] =
    /^(?:file:\/\/)?(\/[^\n]*?):(\d+)\n/.exec(stack) ?? /\((?:file:\/\/)?(\/[^\n)]*?):(\d+):\d+\)/.exec(message) ?? [];
  const what = name === 'Error' ? message : `${name}: ${message}`;
  if (url === undefined || line === undefined) return what;
  const path = decodedPath(url);
  const shown = path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
  return `${what} (${shown}, line ${line})`;
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // a path and not a URL
  }
}
