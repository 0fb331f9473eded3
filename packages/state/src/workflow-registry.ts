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

// KEYS: workflows (name -> latest version), versions (name@version -> registration).
// ARGV: name, version that becomes the latest ('-' for none), versions to delete. Returns how many there were.
// A name that was registered anew meanwhile keeps what it was given.
const DELETE = defineScript({
  name: 'delete-workflow',
  numberOfKeys: 2,
  lua: `#!lua
local name, latest = ARGV[1], ARGV[2]
local deleted, wasLatest = 0, false
for index = 3, #ARGV do
  deleted = deleted + redis.call('HDEL', KEYS[2], name .. '@' .. ARGV[index])
  if redis.call('HGET', KEYS[1], name) == ARGV[index] then wasLatest = true end
end
if wasLatest and latest ~= '-' and redis.call('HEXISTS', KEYS[2], name .. '@' .. latest) == 1 then
  redis.call('HSET', KEYS[1], name, latest)
elseif wasLatest then
  redis.call('HDEL', KEYS[1], name)
end
return deleted`,
});

/**
 * Forgets a version of a workflow, or all; gives how many there were. Runs keep the definition that they began with. When the
 * latest version goes, the one registered before it becomes the latest.
 */
export async function deleteWorkflow(
  client: RedisClient,
  namespace: string,
  name: string,
  version?: string,
): Promise<number> {
  const keys = deploymentKeys(namespace);
  const registered = (await readVersions(client, keys.workflowVersions, name)).sort(
    (one, other) => other.registeredAt - one.registeredAt,
  );
  const versions = registered.map((each) => each.version ?? '');
  const gone = version === undefined ? versions : versions.filter((each) => each === version);
  const [latest = '-'] = versions.filter((each) => !gone.includes(each));
  if (gone.length === 0) return 0;
  return Number(await runScript(client, DELETE, [keys.workflows, keys.workflowVersions], [name, latest, ...gone]));
}

async function readVersions(client: RedisClient, key: string, name: string): Promise<Registration[]> {
  const found: Registration[] = [];
  let cursor = '0';
  do {
    // A name has none of the characters that mean something in a pattern.
    const [next, entries] = await client.hscan(key, cursor, 'MATCH', `${name}@*`, 'COUNT', VERSIONS_A_SCAN);
    for (let index = 1; index < entries.length; index += 2) found.push(JSON.parse(entries[index]!) as Registration);
    cursor = next;
  } while (cursor !== '0');
  return found;
}

const VERSIONS_A_SCAN = 100;

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
