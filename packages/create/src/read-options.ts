import { parseArgs } from 'node:util';
import type { Problem } from './create-problem.ts';
import { templateOf } from './templates.ts';

/** What was asked for; what is undefined was not said. */
export interface Options {
  folder: string | undefined;
  template: string | undefined;
  /** Folder with tarballs of Flotilla's packages, to be installed in place of those of the registry. */
  packages: string | undefined;
  yes: boolean;
  json: boolean;
  help: boolean;
}

const KNOWN = {
  template: { type: 'string', short: 't' },
  packages: { type: 'string' },
  yes: { type: 'boolean', short: 'y' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * `npm create flotilla DIR --template NAME` keeps the options for itself, unless they stand behind `--`, and hands them on as
 * variables of the environment: npm 10 with the value, npm 11 as "true" with the value among the arguments.
 * @returns the options and everything that is wrong with them
 */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { options: Options; problems: Problem[] } {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: KNOWN,
    allowPositionals: true,
    strict: false,
  });
  const problems = Object.entries(values).flatMap(([name, value]) => problemOf(name, value));
  const strayTemplate = env['npm_config_template'] === 'true' ? takeTemplate(positionals) : undefined;
  const [folder, ...more] = positionals;
  for (const path of more) problems.push({ code: 'TOO_MANY_ARGUMENTS', path, message: 'only one folder is taken' });
  const text = (name: 'template' | 'packages') => {
    const value = values[name];
    return typeof value === 'string' ? value : env[`npm_config_${name}`] || undefined;
  };
  return {
    options: {
      folder,
      template: strayTemplate ?? text('template'),
      packages: text('packages'),
      yes: values['yes'] === true || env['npm_config_yes'] === 'true',
      json: values['json'] === true,
      help: values['help'] === true,
    },
    problems,
  };
}

/** Removes the last argument that names a template, and returns it. */
function takeTemplate(positionals: string[]): string | undefined {
  const index = positionals.findLastIndex((each) => templateOf(each) !== undefined);
  return index === -1 ? undefined : positionals.splice(index, 1)[0];
}

function problemOf(name: string, value: unknown): Problem[] {
  const path = name.length === 1 ? `-${name}` : `--${name}`;
  if (!Object.hasOwn(KNOWN, name)) {
    const known = Object.keys(KNOWN).map((each) => `--${each}`);
    return [{ code: 'UNKNOWN_OPTION', path, message: `there is no such option; there are ${known.join(', ')}` }];
  }
  if (KNOWN[name as keyof typeof KNOWN].type === 'string' && (typeof value !== 'string' || value === '')) {
    return [{ code: 'VALUE_MISSING', path, message: 'a value has to follow' }];
  }
  return [];
}
