import { ATTEMPT_TRANSITIONS, RUN_TRANSITIONS, renderTransitionsAsMermaid, STEP_TRANSITIONS } from './transitions.ts';

/** The text of docs/reference/state-machines.md, from the tables. */
export function renderStateMachines(): string {
  return `# State machines

Generated from \`packages/engine/src/transitions.ts\` (\`pnpm --filter @flotilla/engine state-machines\`). The scripts that
write states accept exactly these transitions.

## Run

\`\`\`mermaid
${renderTransitionsAsMermaid(RUN_TRANSITIONS, 'pending')}
\`\`\`

## Step

\`\`\`mermaid
${renderTransitionsAsMermaid(STEP_TRANSITIONS, 'waiting')}
\`\`\`

## Attempt

\`\`\`mermaid
${renderTransitionsAsMermaid(ATTEMPT_TRANSITIONS, 'running')}
\`\`\`
`;
}
