import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileWorkflow } from '@flotilla/engine';
import { startProcess } from '@flotilla/testing';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { blocksOf, brokenLink, codeIn, documents, linksOf, project, read, tablesOf } from './markdown.ts';

const all = documents();

test.each(all)('every link of %s leads somewhere', (document) => {
  expect(linksOf(read(document)).flatMap((link) => brokenLink(document, link) ?? [])).toEqual([]);
});

describe('blocks', () => {
  const blocks = all.flatMap((document) =>
    blocksOf(read(document)).map((block) => ({ ...block, place: `${document}:${block.line}` })),
  );
  const copies = blocks.filter(({ from }) => from !== undefined);
  const workflows = blocks.filter(
    ({ language, text, from }) =>
      from === undefined &&
      (language === 'yaml' || language === 'json') &&
      /^flotilla:|"flotilla": 1|"entry":/m.test(text),
  );

  test('of TypeScript are whole files, which compile, with their imports', () => {
    const typescript = blocks.filter(({ language }) => /^(ts|typescript)$/.test(language));
    const loose = typescript.filter(({ from, text }) => from === undefined || read(from) !== text);
    expect(loose.map(({ place }) => place)).toEqual([]);
  });

  test('of programs are followed by the command that runs them', () => {
    const silent = all.flatMap((document) => {
      const shown = blocksOf(read(document));
      const programs = shown.filter(({ text, from }) => from !== undefined && text.includes('createClient('));
      return programs.filter(
        ({ from, line }) =>
          !shown.some(
            ({ language, text, line: at }) =>
              // In a guide to the user's own project, without the folder that the example has here.
              language === 'sh' && at > line && text.includes(from!.replace(/^examples\/own-project\//, '')),
          ),
      );
    });
    expect(silent.map(({ from }) => from)).toEqual([]);
  });

  test.each(copies.map((block) => [block.place, block] as const))(
    '%s is what its file says',
    (_place, { from, text }) => {
      expect(read(from!)).toContain(text);
    },
  );

  test.each(workflows.map((block) => [block.place, block] as const))('the workflow at %s compiles', (_place, block) => {
    const document = block.language === 'yaml' ? (parse(block.text) as object) : (JSON.parse(block.text) as object);
    const compiled = compileWorkflow(document);
    expect(compiled).toMatchObject({ ok: true });
    if ('entry' in document) return;
    expect(compiled).toMatchObject({ warnings: [] });
    const schema = JSON.parse(read('packages/contracts/schema/workflow.schema.json')) as object;
    const validate = new Ajv2020({ strict: false }).compile(schema);
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
  });
});

describe('commands', () => {
  const lines = all.flatMap((document) =>
    blocksOf(read(document))
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
      .map((line) => ({ document, line })),
  );
  const commandLines = lines.filter(({ line }) => line.startsWith('./flotilla '));
  const commandOf = (line: string) =>
    /^\.\/flotilla (import \w+|dead-letters (?:show|redrive|discard)|bulk (?:cancel|retry|redrive|pause|resume|status|abort)|\w[\w-]*)/.exec(
      line,
    )?.[1] ?? '';
  const named = tablesOf(read('README.md'))
    .find(({ header }) => header[0] === 'Command')!
    .rows.map(([first]) => codeIn(first!));
  const commands = [...new Set([...commandLines.map(({ line }) => line), ...named].map(commandOf))].filter(Boolean);

  let help: ReadonlyMap<string, string>;
  beforeAll(async () => {
    help = await helpOf(['', ...commands]);
  }, 60_000);

  test('that are shown exist, with their options', () => {
    expect(commands.filter((command) => !help.get(command)?.startsWith(`Usage: flotilla ${command} `))).toEqual([]);
    const unknown = commandLines.flatMap(({ document, line }) => {
      const options = line.replace(/'[^']*'/g, '').match(/ --[a-z-]+/g) ?? [];
      const text = help.get(commandOf(line)) ?? '';
      return options.filter((option) => !text.includes(`${option} `)).map((option) => `${document}: ${line}:${option}`);
    });
    expect(unknown).toEqual([]);
  });

  test('are all in the list of the README', () => {
    const listed = /Commands:\n([\s\S]*?)\n\n/
      .exec(help.get('')!)![1]!
      .match(/^ {2}\w[\w-]*/gm)!
      .map((name) => name.trim());
    const inReadme = new Set(named.map((command) => commandOf(command).split(' ')[0]));
    expect(listed.filter((name) => name !== 'help' && !inReadme.has(name))).toEqual([]);
  });

  test('of npm and pnpm are scripts of the project', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const text = all.map(read).join('\n');
    const used = Array.from(
      text.matchAll(/npx(?: --yes)? pnpm(?:@[\d.]+)? ([a-z]+)|npm (start|test|run [a-z]+)/g),
      ([, pnpm, npm]) => (pnpm ?? npm!).replace('run ', ''),
    );
    expect(used.filter((name) => name !== 'install' && scripts[name] === undefined)).toEqual([]);
  });

  test('name files that exist', () => {
    const paths = lines.flatMap(
      ({ line }) => line.match(/(?:examples|apps|packages|infra)\/[\w./-]+\.(?:ts|yaml|json|gz|mjs)/g) ?? [],
    );
    expect(paths.filter((path) => !existsSync(join(project, path)))).toEqual([]);
  });
});

describe('promises', () => {
  const promises = tablesOf(read('README.md')).find(({ heading }) => heading === 'What is promised')!.rows;

  test('are G1 to G12, in order', () => {
    expect(promises.map(([name]) => name)).toEqual(Array.from({ length: 12 }, (_, index) => `G${index + 1}`));
  });

  test.each(promises.map(([name, , tests]) => [name!, tests!] as const))(
    '%s has the tests that are claimed',
    (name, tests) => {
      const files = linksOf(tests);
      for (const file of files) expect(read(file)).toMatch(new RegExp(`\\b${name}\\b`));
      if (files.length === 0) expect(tests).toMatch(/^none/);
    },
  );
});

/** What `flotilla COMMAND --help` prints, by command. All in one process: starting one takes most of a second. */
async function helpOf(commands: readonly string[]): Promise<Map<string, string>> {
  const script = `
    const { runCli } = await import(${JSON.stringify(pathToFileURL(join(project, 'packages/cli/src/program.ts')).href)});
    const help = [];
    for (const command of ${JSON.stringify(commands)}) {
      let text = '';
      const write = (part) => { text += part; };
      const terminal = { write, writeError: write, interactive: false, columns: () => 200, env: {}, cwd: '/' };
      await runCli([...command.split(' ').filter(Boolean), '--help'], terminal);
      help.push([command, text]);
    }
    process.stdout.write(JSON.stringify(help));`;
  const node = await startProcess(process.execPath, [
    '--conditions=@flotilla/source',
    '--input-type=module',
    `--eval=${script}`,
  ]);
  const { code } = await node.exited;
  expect({ code, stderr: node.stderr() }).toEqual({ code: 0, stderr: '' });
  return new Map(JSON.parse(node.stdout()) as [string, string][]);
}
