import {
  type HttpRequestDefinition,
  httpRequestZ,
  type Json,
  type LegacyStep,
  MAX_DURATION_MS,
  type RetryPolicyInput,
  type StepDefinition,
  type Timeouts,
} from '@flotilla/contracts';
import { MAX_EXPRESSION_CHARACTERS } from './cel-environment.ts';
import { deriveId, type LegacyIds } from './legacy-ids.ts';
import { migrateLegacyCondition } from './migrate-legacy-condition.ts';
import { type ProblemList, shorten } from './problem-list.ts';

export interface LegacyStepContext {
  /** Pointer to the step in the legacy document. */
  path: string;
  /** Pointer to the step in the definition. */
  idPath: string;
  ids: LegacyIds;
  problems: ProblemList;
  /** Filled: pointers into the definition and where they come from. */
  origins: Map<string, string>;
}

type StepOf<Kind extends StepDefinition['kind']> = Extract<StepDefinition, { kind: Kind }>;
type Fields = { [key: string]: Json };

const MAX_ATTEMPTS = 1000;

/** One step without its needs, which come from the steps that lead to it. Undefined when a problem was reported. */
export function migrateLegacyStep(step: LegacyStep, context: LegacyStepContext): StepDefinition | undefined {
  if (step.kind !== 'branch') {
    if (step.branches !== undefined) lost(context, 'branches', 'only a step of kind branch has branches');
    checkNext(step, context);
  }
  switch (step.kind) {
    case 'agent':
      return migrateAgent(step, context);
    case 'http':
      return migrateHttp(step, context);
    case 'delay':
      return migrateDelay(step, context);
    case 'branch':
      return migrateBranch(step, context);
    case 'map':
      return migrateMap(step, context);
  }
}

function migrateAgent(step: LegacyStep, context: LegacyStepContext): StepOf<'agent'> | undefined {
  const capability = capabilityOf(step, context);
  if (capability === undefined) return undefined;
  return { kind: 'agent', capability, ...titled(step), ...inputOf(step.input), ...workOf(step, context) };
}

function migrateHttp(step: LegacyStep, context: LegacyStepContext): StepOf<'http'> | undefined {
  const { url, method, headers, body, ...rest } = fieldsOf(step.input);
  if (typeof url !== 'string') {
    missing(context, 'input/url', 'an http step needs the address in input.url');
    return undefined;
  }
  context.origins.set(`${context.idPath}/request`, `${context.path}/input`);
  for (const field of Object.keys(rest))
    lost(context, `input/${field}`, `an http request has no ${shorten(field, 60)}`);
  const parsed = httpRequestZ.safeParse({
    url: literalText(url),
    ...(typeof method === 'string' ? { method: method.toUpperCase() } : {}),
    ...(headers === undefined ? {} : { headers: literal(headers) }),
    ...(body === undefined ? {} : { body: literal(body) }),
  });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const at = ['', ...issue.path.map(String)].join('/');
      context.problems.error('ILLEGAL_VALUE', `${context.path}/input${at}`, shorten(issue.message, 400));
    }
    return undefined;
  }
  const request: HttpRequestDefinition = parsed.data;
  return { kind: 'http', request, ...titled(step), ...workOf(step, context) };
}

function migrateDelay(step: LegacyStep, context: LegacyStepContext): StepOf<'delay'> | undefined {
  dropWork(step, context);
  const input = fieldsOf(step.input);
  for (const field of ['ms', 'delayMs', 'durationMs', 'forMs']) {
    const value = input[field] ?? (typeof step.input === 'number' ? step.input : undefined);
    if (typeof value !== 'number') continue;
    context.origins.set(`${context.idPath}/forMs`, `${context.path}/input/${field}`);
    return { kind: 'delay', forMs: value, ...titled(step) };
  }
  missing(context, 'input/ms', 'a delay step needs its time in input.ms');
  return undefined;
}

function migrateBranch(step: LegacyStep, context: LegacyStepContext): StepOf<'branch'> {
  dropWork(step, context);
  if (step.input !== undefined) lost(context, 'input', 'a branch has no input');
  const cases = (step.branches ?? []).map(({ when, to }, position) => {
    const path = `${context.path}/branches/${position}`;
    context.origins.set(`${context.idPath}/cases/${position}`, path);
    return {
      when: migrateLegacyCondition(when, `${path}/when`, context.problems),
      to: idOf(to, `${path}/to`, context),
    };
  });
  const next = typeof step.next === 'string' ? { otherwise: idOf(step.next, `${context.path}/next`, context) } : {};
  context.origins.set(`${context.idPath}/otherwise`, `${context.path}/next`);
  return { kind: 'branch', cases, ...next, ...titled(step) };
}

function migrateMap(step: LegacyStep, context: LegacyStepContext): StepOf<'map'> | undefined {
  const { items, as, concurrency, ...rest } = fieldsOf(step.input);
  for (const field of Object.keys(rest)) lost(context, `input/${field}`, `a map has no ${shorten(field, 60)}`);
  const capability = capabilityOf(step, context);
  const over = overOf(items, context);
  if (capability === undefined || over === undefined) return undefined;
  context.origins.set(`${context.idPath}/over`, `${context.path}/input/items`);
  context.origins.set(`${context.idPath}/as`, `${context.path}/input/as`);
  context.origins.set(`${context.idPath}/concurrency`, `${context.path}/input/concurrency`);
  const name = typeof as === 'string' ? as : 'item';
  const each = { kind: 'agent', capability, input: { [name]: `\${{ ${name} }}`, index: '${{ index }}' } } as const;
  return {
    kind: 'map',
    over,
    as: name,
    ...(typeof concurrency === 'number' ? { concurrency } : {}),
    each: { ...each, ...workOf(step, context) },
    ...titled(step),
  };
}

function overOf(items: Json | undefined, context: LegacyStepContext): string | undefined {
  if (typeof items === 'string') return items;
  if (!Array.isArray(items)) {
    missing(context, 'input/items', 'a map step needs a list, or an expression that gives one, in input.items');
    return undefined;
  }
  const written = JSON.stringify(items);
  if (written.length <= MAX_EXPRESSION_CHARACTERS) return written;
  const message = `the list is longer than ${MAX_EXPRESSION_CHARACTERS} characters; pass it as input of the run`;
  context.problems.error('EXPRESSION_TOO_COMPLEX', `${context.path}/input/items`, message);
  return undefined;
}

function capabilityOf(step: LegacyStep, context: LegacyStepContext): string | undefined {
  if (step.agentId === undefined || step.agentId === '') {
    missing(context, 'agentId', `a step of kind ${step.kind} needs an agentId`);
    return undefined;
  }
  const capability = deriveId(step.agentId);
  if (capability !== step.agentId) {
    context.problems.warning(
      'LEGACY_VALUE_CHANGED',
      `${context.path}/agentId`,
      `the capability is called ${capability}`,
    );
  }
  return capability;
}

interface Work {
  retry?: RetryPolicyInput;
  timeouts?: Timeouts;
  toolAllowlist?: string[];
}

function workOf(step: LegacyStep, context: LegacyStepContext): Work {
  const work: Work = {};
  if (step.retry !== undefined) {
    const { maxRetries, backoffMs, jitter } = step.retry;
    work.retry = {
      maxAttempts: Math.min(maxRetries + 1, MAX_ATTEMPTS),
      initialMs: Math.min(backoffMs, MAX_DURATION_MS),
      jitter: jitter ? 'full' : 'none',
    };
    if (maxRetries + 1 > MAX_ATTEMPTS) {
      context.problems.warning(
        'LEGACY_VALUE_CHANGED',
        `${context.path}/retry/maxRetries`,
        `at most ${MAX_ATTEMPTS} attempts`,
      );
    }
  }
  if (step.timeoutMs !== undefined) work.timeouts = { attemptMs: Math.min(step.timeoutMs, MAX_DURATION_MS) };
  if (step.toolAllowlist !== undefined) work.toolAllowlist = step.toolAllowlist;
  context.origins.set(`${context.idPath}/retry`, `${context.path}/retry`);
  context.origins.set(`${context.idPath}/timeouts/attemptMs`, `${context.path}/timeoutMs`);
  context.origins.set(`${context.idPath}/capability`, `${context.path}/agentId`);
  for (const field of ['toolAllowlist', 'retry']) {
    context.origins.set(`${context.idPath}/each/${field}`, `${context.path}/${field}`);
  }
  return work;
}

/** Delay and branch make no attempts. */
function dropWork(step: LegacyStep, context: LegacyStepContext): void {
  for (const field of ['retry', 'timeoutMs', 'toolAllowlist', 'agentId'] as const) {
    if (step[field] !== undefined) lost(context, field, `a ${step.kind} makes no attempts`);
  }
}

function checkNext(step: LegacyStep, context: LegacyStepContext): void {
  if (typeof step.next === 'string') idOf(step.next, `${context.path}/next`, context);
}

/** The new id of a step that is named; a name of no step is a problem and stays as it is. */
function idOf(name: string, path: string, context: LegacyStepContext): string {
  const key = context.ids.keyOf(name);
  if (key !== undefined) return context.ids.idOf(key);
  context.problems.error('UNKNOWN_STEP', path, `there is no step ${shorten(name)}`);
  return name;
}

function titled(step: LegacyStep): { title?: string } {
  return step.name === '' ? {} : { title: shorten(step.name, 500) };
}

function inputOf(input: Json | undefined): { input?: Json } {
  return input === undefined ? {} : { input: literal(input) };
}

/** Legacy texts are no templates: `${{` in them stays what it is. */
function literal(value: Json): Json {
  if (typeof value === 'string') return literalText(value);
  if (Array.isArray(value)) return value.map(literal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, literal(part)]));
}

function literalText(text: string): string {
  return text.replaceAll('${{', '${{ "${{" }}');
}

function fieldsOf(input: Json | undefined): Fields {
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {};
}

function lost(context: LegacyStepContext, field: string, why: string): void {
  context.problems.warning('LEGACY_FIELD_LOST', `${context.path}/${field}`, `${why}; it is left out`);
}

function missing(context: LegacyStepContext, field: string, message: string): void {
  context.problems.error('LEGACY_FIELD_MISSING', `${context.path}/${field}`, message);
}
