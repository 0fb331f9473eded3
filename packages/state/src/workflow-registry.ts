import { FlotillaError, type Json, type WorkflowView } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { deploymentKeys } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';

interface Registration {
  name: string;
  version?: string;
  definitionHash: string;
  registeredAt: number;
  definition: Json;
}

// KEYS: workflows (name -> latest version), versions (name@version -> registration).
// ARGV: name, version, definition hash, registration without its time.
// Returns {'created'|'exists'|'conflict', registration}. A name without versions is replaced.
const REGISTER = defineScript({
  name: 'register-workflow',
  numberOfKeys: 2,
  lua: `#!lua
local field = ARGV[1] .. '@' .. ARGV[2]
local known = redis.call('HGET', KEYS[2], field)
if known then
  local same = cjson.decode(known).definitionHash == ARGV[3]
  if same then return { 'exists', known } end
  if ARGV[2] ~= '' then return { 'conflict', known } end
end
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local registration = '{"registeredAt":' .. now .. ',' .. string.sub(ARGV[4], 2)
redis.call('HSET', KEYS[2], field, registration)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return { 'created', registration }`,
});

/** Keeps a definition under its name. The same version with another content: WORKFLOW_VERSION_CONFLICT. */
export async function registerWorkflow(
  client: RedisClient,
  namespace: string,
  plan: PlanShape,
): Promise<{ view: WorkflowView; created: boolean }> {
  const keys = deploymentKeys(namespace);
  const { name, version } = plan.definition;
  const registration = { name, version, definitionHash: plan.hash, definition: plan.definition };
  const [outcome, stored] = (await runScript(
    client,
    REGISTER,
    [keys.workflows, keys.workflowVersions],
    [name, version ?? '', plan.hash, JSON.stringify(registration)],
  )) as [string, string];
  if (outcome === 'conflict') {
    throw new FlotillaError(
      'WORKFLOW_VERSION_CONFLICT',
      `version ${version} of workflow ${name} exists with another content; give the change a new version`,
    );
  }
  return { view: toView(JSON.parse(stored) as Registration), created: outcome === 'created' };
}

export async function readWorkflow(
  client: RedisClient,
  namespace: string,
  name: string,
  version?: string,
): Promise<WorkflowView | undefined> {
  const keys = deploymentKeys(namespace);
  const wanted = version ?? (await client.hget(keys.workflows, name));
  if (wanted == null) return undefined;
  const stored = await client.hget(keys.workflowVersions, `${name}@${wanted}`);
  return stored == null ? undefined : toView(JSON.parse(stored) as Registration);
}

/** One page of registered workflows (latest versions), without definitions, by name as Redis scans them. */
export async function listWorkflows(
  client: RedisClient,
  namespace: string,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ workflows: WorkflowView[]; cursor?: string }> {
  const keys = deploymentKeys(namespace);
  const [cursor, found] = await client.hscan(keys.workflows, page.cursor ?? '0', 'COUNT', page.limit);
  const names: string[] = [];
  for (let index = 0; index < found.length; index += 2) names.push(found[index]!);
  const views = await Promise.all(names.map((name) => readWorkflow(client, namespace, name)));
  const workflows = views
    .filter((view) => view !== undefined)
    .map(({ definition: _definition, ...view }) => view)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return cursor === '0' ? { workflows } : { workflows, cursor };
}

function toView({ name, version, definitionHash, registeredAt, definition }: Registration): WorkflowView {
  return { name, ...(version === undefined ? {} : { version }), definitionHash, registeredAt, definition };
}
