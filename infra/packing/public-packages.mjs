import { readManifest } from './workspace.mjs';

const { version } = readManifest('.');

/** What of Node each runs on; test-packages.mjs holds them to it. */
const ENGINES = Object.freeze({ program: '>=22.19', library: '>=22.19', client: '>=20' });

/** In every manifest. */
const shared = Object.freeze({ version, license: 'MIT', type: 'module' });

/**
 * The libraries, each made of one package of the workspace and what that needs of others.
 * @type {readonly { name: string, from: string, description: string, node: string, commonJs: boolean }[]}
 */
export const LIBRARIES = Object.freeze([
  {
    name: '@flotilla/steps',
    from: '@flotilla/steps',
    description: 'Write step handlers, agents and workflows for Flotilla.',
    node: ENGINES.library,
    commonJs: true,
  },
  {
    name: '@flotilla/client',
    from: '@flotilla/client',
    description: 'Start, follow and steer runs of Flotilla over HTTP.',
    node: ENGINES.client,
    commonJs: true,
  },
]);

/** The program: its command, and the three servers that it starts. */
export const PROGRAM = Object.freeze({
  name: 'flotilla',
  description: 'Durable multi-step workflows on a fleet of stateless workers, on Redis and BullMQ.',
  from: ['@flotilla/cli', '@flotilla/scheduler', '@flotilla/worker', '@flotilla/dashboard'],
  command: 'infra/bootstrap/installed.mjs',
});

/** What `npm create flotilla` runs. */
export const CREATOR = Object.freeze({
  name: 'create-flotilla',
  description: 'Makes a Flotilla project, or adds to one: npm create flotilla.',
  from: '@flotilla/create',
});

export function creatorManifest() {
  const { name, description } = CREATOR;
  return {
    name,
    description,
    ...shared,
    bin: { 'create-flotilla': 'dist/main.js' },
    exports: { './package.json': './package.json' },
    // It starts on older ones, to say that the project needs a newer.
    engines: { node: ENGINES.client },
  };
}

/** @param {Record<string, string>} outside exact versions */
export function programManifest(outside) {
  return {
    name: PROGRAM.name,
    description: PROGRAM.description,
    ...shared,
    bin: { flotilla: PROGRAM.command },
    exports: {
      './workflow.schema.json': './packages/contracts/schema/workflow.schema.json',
      './package.json': './package.json',
    },
    engines: { node: ENGINES.program },
    // A program is run as it was tested: with these versions and no others.
    dependencies: outside,
  };
}

/**
 * @param {(typeof LIBRARIES)[number]} library
 * @param {Record<string, string>} outside exact versions
 * @param {string} entry folder of its entry below dist and dist/cjs
 */
export function libraryManifest({ name, description, node, commonJs }, outside, entry) {
  const both = (folder) => ({ types: `./${folder}/${entry}/index.d.ts`, default: `./${folder}/${entry}/index.js` });
  const main = commonJs ? both('dist/cjs') : both('dist');
  return {
    name,
    description,
    ...shared,
    main: main.default,
    types: main.types,
    exports: {
      '.': { import: both('dist'), ...(commonJs ? { require: both('dist/cjs') } : {}) },
      './package.json': './package.json',
    },
    sideEffects: false,
    engines: { node },
    // A library shares what its user has, within the major that it was tested with.
    dependencies: Object.fromEntries(Object.entries(outside).map(([dependency, exact]) => [dependency, `^${exact}`])),
  };
}
