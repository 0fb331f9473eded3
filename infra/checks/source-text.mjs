/**
 * A source text without its comments, and the same without the contents of strings, templates and regular expressions,
 * both of the same length as the original, so that positions stay. Code inside `${…}` counts as code.
 * @param {string} source TypeScript or JavaScript
 * @returns {{ withoutComments: string, codeOnly: string }}
 */
export function readSource(source) {
  const withoutComments = source.split('');
  const codeOnly = source.split('');
  const blank = (text, from, to) => {
    for (let at = from; at < to; at += 1) if (text[at] !== '\n') text[at] = ' ';
  };
  /** Depth of braces at which each open template continues. */
  const templates = [];
  let braces = 0;
  let at = 0;
  while (at < source.length) {
    const character = source[at];
    const pair = source.slice(at, at + 2);
    let end = at + 1;
    if (pair === '//' || pair === '/*') {
      end = endOfComment(source, at);
      blank(withoutComments, at, end);
      blank(codeOnly, at, end);
    } else if (character === "'" || character === '"') {
      end = endOfQuoted(source, at, character);
      blank(codeOnly, at + 1, end - 1);
    } else if (character === '`' || (character === '}' && templates.at(-1) === braces)) {
      if (character === '}') templates.pop();
      end = endOfTemplatePart(source, at + 1);
      blank(codeOnly, at + 1, end - 1);
      if (source[end - 1] === '{') templates.push(braces);
    } else if (character === '/' && startsRegularExpression(source, at)) {
      end = endOfRegularExpression(source, at);
      blank(codeOnly, at + 1, end - 1);
    } else if (character === '{') braces += 1;
    else if (character === '}') braces -= 1;
    at = end;
  }
  return { withoutComments: withoutComments.join(''), codeOnly: codeOnly.join('') };
}

function endOfComment(source, start) {
  const isLine = source[start + 1] === '/';
  const end = source.indexOf(isLine ? '\n' : '*/', start + 2);
  if (end === -1) return source.length;
  return isLine ? end : end + 2;
}

function endOfQuoted(source, start, quote) {
  let at = start + 1;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return Math.min(at + 1, source.length);
}

/** Behind the closing backtick, or behind the brace of the next `${`. */
function endOfTemplatePart(source, start) {
  let at = start;
  while (at < source.length) {
    if (source[at] === '`') return at + 1;
    if (source[at] === '$' && source[at + 1] === '{') return at + 2;
    at += source[at] === '\\' ? 2 : 1;
  }
  return source.length;
}

/** A slash divides when a value stands before it, and starts a regular expression otherwise. */
function startsRegularExpression(source, at) {
  const before = source.slice(Math.max(0, at - 200), at).trimEnd();
  if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|await|yield)$/.test(before)) return true;
  return !/[\w$)\]}'"`]$/.test(before);
}

function endOfRegularExpression(source, start) {
  let inClass = false;
  for (let at = start + 1; at < source.length && source[at] !== '\n'; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === '[') inClass = true;
    else if (source[at] === ']') inClass = false;
    else if (source[at] === '/' && !inClass) return at + 1;
  }
  return start + 1; // a division after all
}

/**
 * The names of all modules that a source text imports, with the line each stands on.
 * @param {string} withoutComments
 */
export function importsOf(withoutComments) {
  const pattern = /(?:\bfrom|\bimport|\brequire|\bresolve)\s*\(?\s*(['"])([^'"\n]+)\1/g;
  return [...withoutComments.matchAll(pattern)].map((match) => ({
    name: match[2],
    line: lineAt(withoutComments, match.index),
  }));
}

/** @param {string} text @param {number} index */
export function lineAt(text, index) {
  return text.slice(0, index).split('\n').length;
}
