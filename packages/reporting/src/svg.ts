/** What charts are drawn with: charts of browsers and canvases cannot write a file. */
export function svgText(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escapeXml(content)}</text>`;
}

/** A document with a title and a subtitle; what is in it begins below 56. */
export function svgDocument(
  { title, subtitle, width, height }: { title: string; subtitle: string; width: number; height: number },
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    svgText(16, 26, title, 'font-size="16" font-weight="600"'),
    svgText(16, 46, subtitle, 'fill="#57606a"'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function escapeXml(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
