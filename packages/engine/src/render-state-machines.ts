import {
  AGENT_TRANSITIONS,
  ATTEMPT_TRANSITIONS,
  CLEANUP_TRANSITIONS,
  RUN_TRANSITIONS,
  renderTransitionsAsMermaid,
  STEP_TRANSITIONS,
} from './transitions.ts';

/** The text of docs/reference/state-machines.md, from the tables. */
export function renderStateMachines(): string {
  return `# State machines

Generated from \`packages/engine/src/transitions.ts\` (\`pnpm --filter @flotilla/engine state-machines\`). The scripts that
write states of runs, steps and attempts accept exactly these transitions.

## Run

Only a retry leads out of the states that a run ends in: it opens the run again.

\`\`\`mermaid
${renderTransitionsAsMermaid(RUN_TRANSITIONS, 'pending', ['failed', 'cancelled', 'timed-out'])}
\`\`\`

## Step

A retry of the run lets steps begin anew: they are \`waiting\` again, whatever they were.

\`\`\`mermaid
${renderTransitionsAsMermaid(STEP_TRANSITIONS, 'waiting')}
\`\`\`

## Attempt

\`\`\`mermaid
${renderTransitionsAsMermaid(ATTEMPT_TRANSITIONS, 'running')}
\`\`\`

## Agent

Judged by schedulers, not by scripts: [agent health](agent-health.md).

\`\`\`mermaid
${renderTransitionsAsMermaid(AGENT_TRANSITIONS, 'healthy')}
\`\`\`

## Cleanup

\`\`\`mermaid
${renderTransitionsAsMermaid(CLEANUP_TRANSITIONS, 'registered')}
\`\`\`
`;
}
