import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { projectDir } from '../bootstrap/project-paths.mjs';

/** Where a module says what it imports, and where code asks for the file behind a name. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*|\bimport\s*\(\s*|\bimport\.meta\.resolve\(\s*)(['"])([^'"\n]+)\2/g;
const DECLARATION = /\.d\.ts$/;

/**
 * Puts the compiled code of a package of the workspace into a folder, as it is but for its imports: other packages of
 * the workspace become relative paths. Declarations and source maps come along; the maps hold the sources themselves.
 * @param {import('./workspace.mjs').WorkspacePackage} from
 * @param {{ to: string, placeOf: (name: string) => string | undefined, transform?: (code: string) => string }} options
 *   `to`: the folder that all places are in; `placeOf`: where in it the compiled code of a package stands
 */
export function vendorCode(from, { to, placeOf, transform = (code) => code }) {
  const source = join(projectDir, from.folder, 'dist');
  const place = placeOf(from.name);
  for (const file of compiledFiles(source)) {
    // Compiled from a source that has since been removed or renamed.
    if (!existsSync(join(projectDir, from.folder, 'src', file.replace(/(\.d\.ts|\.js)$/, '.ts')))) continue;
    const path = posix.join(place, file);
    const text = withOwnImports(readFileSync(join(source, file), 'utf8'), path, placeOf);
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true });
    if (DECLARATION.test(file)) {
      writeFileSync(target, withoutMap(text));
    } else {
      writeFileSync(target, transform(text));
      writeFileSync(`${target}.map`, mapWithSources(join(source, `${file}.map`)));
    }
  }
}

/** Code and declarations, relative to the folder; not what tests alone import. */
function compiledFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /\.(js|d\.ts)$/.test(file) && !/(^|\/)(testing|pages)\//.test(file));
}

/**
 * @param {string} text
 * @param {string} path of the module that it is
 * @param {(name: string) => string | undefined} placeOf
 */
export function withOwnImports(text, path, placeOf) {
  return text.replace(SPECIFIER, (_whole, before, quote, specifier) => {
    const place = placeOf(specifier);
    // Declarations name their neighbours by the sources, which are not packed.
    if (place === undefined) return `${before}${quote}${specifier.replace(/^(\.{1,2}\/.*)\.ts$/, '$1.js')}${quote}`;
    const relative = posix.relative(posix.dirname(path), posix.join(place, 'index.js'));
    return `${before}${quote}${relative.startsWith('.') ? relative : `./${relative}`}${quote}`;
  });
}

function withoutMap(declaration) {
  return declaration.replace(/^\/\/# sourceMappingURL=.*\n?/m, '');
}

/** A map that needs no other file. */
function mapWithSources(file) {
  const map = JSON.parse(readFileSync(file, 'utf8'));
  const sourcesContent = map.sources.map((source) => readFileSync(join(dirname(file), source), 'utf8'));
  return JSON.stringify({ ...map, sourcesContent });
}
