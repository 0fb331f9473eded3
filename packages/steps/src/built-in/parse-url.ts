/** `URL.parse` of newer versions of Node: null when it is not a URL. */
export function parseUrl(text: string, base?: string): URL | null {
  return URL.canParse(text, base) ? new URL(text, base) : null;
}
