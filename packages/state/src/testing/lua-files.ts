import luaparse from 'luaparse';
import { withLiterals } from '../lua-names.ts';
import { LUA_FILES, readLuaFile } from '../lua-source.ts';

/** A Lua file as a parser sees it. */
export interface LuaFile {
  name: string;
  text: string;
  /** Without its comments. */
  code: string;
  /** Of its first line: the files that it says it needs. */
  needs: string[];
  /** Names that it uses and does not define. */
  freeNames: string[];
  /** Names that other files may use. */
  definedNames: string[];
  functions: { name: string; line: number; lines: number }[];
}

/** Lua's own, as Redis gives them. */
const BUILT_IN: ReadonlySet<string> = new Set(
  'redis cjson string table math error ipairs next pairs pcall select tonumber tostring type unpack'.split(' '),
);

export const LUA_FILE_NAMES: readonly string[] = [...new Set(Object.values(LUA_FILES).flat())];

export function parseLuaFile(name: string): LuaFile {
  const text = readLuaFile(name);
  // Its types leave out `globals`. The literals change no line; the names that stand for them are no names of Lua.
  const tree = luaparse.parse(withLiterals(text), { luaVersion: '5.1', scope: true, locations: true, comments: false });
  return {
    name,
    text,
    code: text.replace(/--.*$/gm, ''),
    needs: /^-- needs: (.*)\n/.exec(text)?.[1]?.split(', ') ?? [],
    freeNames: namesOf((tree as unknown as { globals: { name: string }[] }).globals).filter(
      (free) => !BUILT_IN.has(free),
    ),
    definedNames: tree.body.flatMap(definitionsOf),
    functions: functionsOf(tree.body),
  };
}

function namesOf(globals: readonly { name: string }[]): string[] {
  return [...new Set(globals.map(({ name }) => name))];
}

function definitionsOf(statement: luaparse.Statement): string[] {
  if (statement.type === 'LocalStatement') return statement.variables.map(({ name }) => name);
  const isLocal = statement.type === 'FunctionDeclaration' && statement.isLocal;
  return isLocal && statement.identifier?.type === 'Identifier' ? [statement.identifier.name] : [];
}

type Node = Partial<Record<string, unknown>> & {
  type?: string;
  loc?: { start: { line: number }; end: { line: number } };
};

/** All functions in what is given, those in others too. */
function functionsOf(part: unknown): LuaFile['functions'] {
  if (Array.isArray(part)) return part.flatMap(functionsOf);
  if (typeof part !== 'object' || part === null) return [];
  const node = part as Node;
  const within = Object.entries(node).flatMap(([key, value]) => (key === 'loc' ? [] : functionsOf(value)));
  if (node.type !== 'FunctionDeclaration' || node.loc === undefined) return within;
  const { start, end } = node.loc;
  const identifier = node['identifier'] as { name?: string } | null;
  return [{ name: identifier?.name ?? 'function', line: start.line, lines: end.line - start.line + 1 }, ...within];
}
