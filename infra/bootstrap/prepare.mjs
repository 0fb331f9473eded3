/**
 * Set-up alone: `node infra/bootstrap/prepare.mjs [toolchain|build|redis]…` (default: all three). Made for CI and for
 * images that should not fetch anything later.
 */
import { announce, announceOn } from './announce.mjs';
import { buildIfChanged } from './build.mjs';
import { findOrFetchRedis } from './find-redis.mjs';
import { runAndExit, SetupProblem } from './setup-problem.mjs';
import { prepareToolchain } from './toolchain.mjs';

const parts = {
  toolchain: async () => announce(`Node 24 is ${(await prepareToolchain()).nodePath}`),
  build: async () => buildIfChanged(await prepareToolchain()),
  redis: async () => {
    const { path, version, origin } = await findOrFetchRedis();
    announce(`Redis ${version} is ${path} (${origin})`);
  },
};

announceOn(process.stdout);
await runAndExit(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !(name in parts));
  if (unknown.length > 0)
    throw new SetupProblem(`unknown part: ${unknown.join(', ')}. Known: ${Object.keys(parts)}`, 2);
  for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) await parts[name]();
  return 0;
});
