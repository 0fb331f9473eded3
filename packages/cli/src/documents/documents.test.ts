import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CliProblem } from '../cli-problem.ts';
import { loadWorkflow, meansFile } from './load-workflow.ts';
import { parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { readInput } from './read-input.ts';
import { readTextFile } from './read-text-file.ts';
import { documentText } from './write-document.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-documents-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(join(folder, name), content);
  return name;
}

/** Code, and of each problem what it says. */
async function refusal(attempt: () => unknown): Promise<{ code: string; message: string; problems: string[] }> {
  try {
    await attempt();
  } catch (error) {
    const { code, message, problems, exitCode } = error as CliProblem;
    expect(exitCode).toBe(2);
    const lines = problems.map(
      ({ line, path, message }) => `${line === undefined ? '' : `${line}: `}${path} ${message}`,
    );
    return { code, message, problems: lines };
  }
  throw new Error('accepted');
}

describe('a file', () => {
  test.each([
    ['missing.yaml', undefined, 'FILE_NOT_FOUND'],
    ['empty.yaml', '', 'FILE_EMPTY'],
    ['blank.yaml', ' \n\n\t ', 'FILE_EMPTY'],
    ['comment.yaml', '# nothing else\n', 'FILE_EMPTY'],
    ['binary.yaml', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]), 'FILE_BINARY'],
    ['latin1.yaml', Buffer.from([0x6e, 0x3a, 0x20, 0xe9]), 'FILE_BINARY'],
    ['large.json', `{"name":"${'x'.repeat(10 * 1024 * 1024)}"}`, 'FILE_TOO_LARGE'],
    ['list.yaml', '- a\n- b\n', 'DEFINITION_INVALID'],
    ['number.json', '3', 'DEFINITION_INVALID'],
    ['broken.json', '{"name": }', 'MALFORMED_JSON'],
    ['broken.yaml', 'name: [a\nsteps: }', 'MALFORMED_YAML'],
    ['deep.yaml', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`, 'JSON_TOO_DEEP'],
    ['deep-compact.yaml', `${'- '.repeat(20_000)}x`, 'JSON_TOO_DEEP'],
  ])('%s is refused with a typed problem', async (name, content, code) => {
    if (content !== undefined) await file(name, content);
    expect((await refusal(() => loadWorkflow(name, folder))).code).toBe(code);
  });

  test('that is a folder is refused', async () => {
    expect((await refusal(() => readTextFile(folder))).code).toBe('FILE_UNREADABLE');
  });

  test('may begin with a byte order mark', async () => {
    await file('bom.json', '\u{feff}{"name":"a"}');
    await expect(loadWorkflow('bom.json', folder)).resolves.toEqual({ name: 'a' });
  });

  test('without a known extension is read as what it looks like', async () => {
    await file('workflow', '{"name":"a"}');
    await file('other', 'name: a');
    await expect(loadWorkflow('workflow', folder)).resolves.toEqual({ name: 'a' });
    await expect(loadWorkflow('other', folder)).resolves.toEqual({ name: 'a' });
  });
});

describe('JSON', () => {
  test('with a key twice is refused with the lines of both', async () => {
    const text = '{\n "steps": {\n  "a": 1,\n  "b": {"x": 1},\n  "a": 2,\n  "b": []\n }\n}';
    expect(await refusal(() => parseJson(text, 'f.json'))).toMatchObject({
      code: 'DUPLICATE_KEY',
      problems: [
        '/steps/a the key "a" stands at line 3 column 3 and again at line 5 column 3',
        '/steps/b the key "b" stands at line 4 column 3 and again at line 6 column 3',
      ],
    });
  });

  test('with a number that would be changed is refused with its line and its digits', async () => {
    const text = '{\n "steps": {\n  "a": { "input": { "id": 7615917337495251231 } }\n }\n}';
    expect(await refusal(() => parseJson(text, 'f.json'))).toMatchObject({
      code: 'NUMBER_NOT_EXACT',
      problems: [
        '/steps/a/input/id the number 7615917337495251231 at line 3 column 27 would be changed to 7615917337495251000: send it as text',
      ],
    });
  });

  test('may have one key in several objects, and texts that look like keys', () => {
    const text = '{"a":[{"a":1},{"a":2}],"b":"a\\": 1, \\"b","c":["a","a"],"":{},"\\u0061b":1}';
    expect(parseJson(text, 'f.json')).toEqual(JSON.parse(text));
  });

  test('keys are compared as they are meant, not as they are written', async () => {
    expect((await refusal(() => parseJson('{"a":1,"\\u0061":2}', 'f.json'))).code).toBe('DUPLICATE_KEY');
  });

  test('names the place of a mistake', async () => {
    expect((await refusal(() => parseJson('{"a":1,}', 'f.json'))).message).toMatch(/f\.json is not JSON: .*position 7/);
  });
});

describe('YAML', () => {
  test('with a key twice is refused with the lines of both', async () => {
    const text = 'name: a\nsteps:\n  one: {kind: delay, forMs: 1}\n  two: {x: 1, x: 2}\n  one: {}\n';
    const { code, problems } = await refusal(() => parseYaml(text, 'f.yaml'));
    expect(code).toBe('DUPLICATE_KEY');
    expect(problems.sort()).toEqual([
      '4: /steps/two/x the key "x" is there twice: in line 4 and in line 4',
      '5: /steps/one the key "one" is there twice: in line 3 and in line 5',
    ]);
  });

  test('with numbers that would be changed is refused with their lines and digits', async () => {
    const text =
      'a: 1\nid: 7615917337495251231\nhex: 0xffffffffffffffff1\n12345678901234567890: x\nfar: .inf\nlist: [1e999]\n';
    expect((await refusal(() => parseYaml(text, 'f.yaml'))).problems).toEqual([
      '2: /id the number 7615917337495251231 would be changed to 7615917337495251000: send it as text',
      '3: /hex the number 0xffffffffffffffff1 would be changed to 295147905179352830000: send it as text',
      '4: /12345678901234567890 the number 12345678901234567890 would be changed to 12345678901234567000: send it as text',
      '5: /far .inf is not a number of JSON',
      '6: /list/0 the number 1e999 is larger than a double can be',
    ]);
  });

  test('may have every number that JSON writes, and decimals', () => {
    const text = 'a: 1796080460429000000\nb: 0.1234567890123456789\nc: 1e3\nd: 0x1F\ne: -7\nf: +3\n';
    expect(parseYaml(text, 'f.yaml')).toEqual({
      ...{ a: 1_796_080_460_429_000_000, b: 0.123_456_789_012_345_68, c: 1000, d: 31, e: -7, f: 3 },
    });
  });

  test.each([
    ['a: { id: ${{ run.input.x }} }\nb: 1\n', '1:  an expression has to be quoted here: "${{ run.input.x }}"'],
    ['a: 1\nb: ${{ x ? "p" : "q" }}\n', `2:  an expression has to be quoted here: '\${{ x ? "p" : "q" }}'`],
    ['needs: [${{ x }}]\n', '1:  an expression has to be quoted here: "${{ x }}"'],
    ['a: ${{ b # c }}\n', '1: /a the expression ends at " #", which begins a comment: quote it'],
  ])('with an expression that has no quotes says so: %j', async (text, problem) => {
    expect(await refusal(() => parseYaml(text, 'f.yaml'))).toMatchObject({
      code: 'MALFORMED_YAML',
      problems: [problem],
    });
  });

  test('with a merge key says that YAML 1.2 has none', async () => {
    const { problems } = await refusal(() => parseYaml('a: &a { x: 1 }\nb: { <<: *a, y: 2 }\n', 'f.yaml'));
    expect(problems).toEqual([expect.stringMatching(/^2: \/b\/<< merge keys \(<<\) are not part of YAML 1\.2/)]);
    expect(parseYaml('"<<": 1', 'f.yaml')).toEqual({ '<<': 1 });
  });

  test.each([
    ['several documents', 'a: 1\n---\nb: 2\n'],
    ['a key that is not text', '? [a, b]\n: 1\n'],
    ['an unknown tag', 'a: !mine 3\n'],
    ['aliases that multiply', billionLaughs()],
    ['an alias to nothing', 'a: *b\n'],
  ])('with %s is refused', async (_what, text) => {
    expect((await refusal(() => parseYaml(text, 'f.yaml'))).code).toBe('MALFORMED_YAML');
  });

  test('reads as YAML 1.2: no surprises with yes, no and times', () => {
    expect(parseYaml('a: yes\nb: 12:30:45\nc: 2024-01-01\nd: 0o17\n', 'f.yaml')).toEqual({
      a: 'yes',
      b: '12:30:45',
      c: '2024-01-01',
      d: 15,
    });
  });

  test('keeps a __proto__ key visible, so that it can be refused', () => {
    const value = parseYaml('__proto__: {a: 1}\n', 'f.yaml') as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

describe('a module', () => {
  test('gives its default export', async () => {
    await file('good.mjs', 'export default { name: "a" };');
    await file('typed.ts', 'const name: string = "b"; export default { name };');
    await expect(loadWorkflow('good.mjs', folder)).resolves.toEqual({ name: 'a' });
    await expect(loadWorkflow('typed.ts', folder)).resolves.toEqual({ name: 'b' });
  });

  test.each([
    ['none.mjs', 'export const workflow = {};', /no default export/],
    ['throws.mjs', 'throw new TypeError("on purpose");', /TypeError: on purpose/],
  ])('%s is refused and says why', async (name, content, why) => {
    await file(name, content);
    const { code, message } = await refusal(() => loadWorkflow(name, folder));
    expect(code).toBe('MODULE_FAILED');
    expect(message).toMatch(why);
  });
});

test('an argument means a file when it looks like one or is one', async () => {
  await file('here', 'name: a');
  expect(['a.yaml', 'a.json', './a', 'x/y', 'a.ts', 'here'].map((argument) => meansFile(argument, folder))).toEqual(
    new Array(6).fill(true),
  );
  expect(['order', 'order-fulfilment', 'v1.2'].map((argument) => meansFile(argument, folder))).toEqual([
    false,
    false,
    false,
  ]);
});

describe('--input', () => {
  test('is JSON or @file', async () => {
    await file('input.json', '{"a":[1]}');
    await expect(readInput('{"b":null}', folder)).resolves.toEqual({ b: null });
    await expect(readInput('@input.json', folder)).resolves.toEqual({ a: [1] });
  });

  test.each([
    ['what is not JSON', '{a:1}', 'MALFORMED_JSON'],
    ['NaN', 'NaN', 'MALFORMED_JSON'],
    ['a file that is not there', '@nowhere.json', 'FILE_NOT_FOUND'],
    ['5,000 levels', `${'['.repeat(5000)}${']'.repeat(5000)}`, 'JSON_TOO_DEEP'],
    ['a __proto__ key', '{"__proto__":1}', 'JSON_FORBIDDEN_KEY'],
    ['an integer that would be changed', '{"n":1234567890123456789012}', 'NUMBER_NOT_EXACT'],
    ['such an integer in a file', '@big.json', 'NUMBER_NOT_EXACT'],
    ['a key twice', '{"n":1,"n":2}', 'DUPLICATE_KEY'],
    ['300 KB', JSON.stringify('x'.repeat(300_000)), 'PAYLOAD_TOO_LARGE'],
    ['a lone surrogate', '"\\ud800"', 'LONE_SURROGATE'],
  ])('refuses %s', async (_what, text, code) => {
    await file('big.json', '{"id":\n7615917337495251231}');
    expect((await refusal(() => readInput(text, folder))).code).toBe(code);
  });
});

test('documents are written as YAML for files that say so, and read back the same', () => {
  const document = { flotilla: 1, steps: { a: { when: "x == 'y'", needs: ['1', 'no', '~'] } } };
  expect(parseYaml(documentText(document, 'a.yml'), 'a.yml')).toEqual(document);
  expect(JSON.parse(documentText(document, 'a.json'))).toEqual(document);
});

function billionLaughs(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level += 1) {
    const previous = `*a${level - 1}`;
    lines.push(`a${level}: &a${level} [${new Array(10).fill(previous).join(', ')}]`);
  }
  return `${lines.join('\n')}\n`;
}
