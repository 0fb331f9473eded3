#!/bin/sh
# Turns a compiled tree of the project (the current folder) into what an image needs: production dependencies of the two
# programs, no sources, no tests. The image brings its own Node, so the one from the lockfile goes as well.
set -eu

rm -rf node_modules packages/*/node_modules apps/*/node_modules
npx --yes pnpm@12.21.0 install --prod --frozen-lockfile --prefer-offline \
  --filter '@flotilla/scheduler...' --filter '@flotilla/worker...'
rm -rf node_modules/node-linux-* node_modules/.bin node_modules/.pnpm/node-linux-* packages/cli packages/create packages/testing \
  packages/bench packages/chaos packages/checker packages/local-fleet packages/reporting
find packages apps -path '*/node_modules' -prune -o \( -name src -o -name '*.tsbuildinfo' -o -name '*.map' \) -print0 |
  xargs -0 rm -rf
