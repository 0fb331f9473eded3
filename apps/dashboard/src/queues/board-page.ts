/**
 * bull-board's page, made fit for our content security policy: without the fonts of another site and without inline
 * styles, and under the path that the browser sees.
 */
export function boardPage(html: string, base: string): string {
  return html
    .replace(/<base href="[^"]*"/, `<base href="${base}"`)
    .replace(/<link href="https:\/\/fonts\.googleapis\.com[^>]*>/g, '')
    .replace(/<div id="root">[\s\S]*<\/div>\s*(?=<script)/, '<div id="root"></div>\n');
}
