import {
  type ChannelDefinition,
  type DelayStepDefinition,
  isWaitStep,
  type Json,
  type MapEachDefinition,
  type StepDefinition,
  type WaitStepDefinition,
  type WorkStepDefinition,
} from '@flotilla/contracts';
import { guardByApproval } from './approval-guard.ts';
import { isTakenName } from './cel-environment.ts';
import { checkBroadcast } from './check-broadcast.ts';
import { type CompileChild, checkChild } from './check-child.ts';
import { stepPointer } from './check-form.ts';
import { checkConversation, checkHandoff } from './check-turns.ts';
import type { StepRead } from './check-upstream-reads.ts';
import { TURN_FIELDS } from './decide-turn.ts';
import { compileExpression, type ExpressionCompilation, type ExpressionNames } from './evaluate-expression.ts';
import type { Expression, PlanChannel, PlanDelay, PlanWait, Template } from './plan.ts';
import { planChannel } from './plan-channel.ts';
import { type ProblemList, shorten } from './problem-list.ts';
import { problemOfDelay } from './resolve-delay.ts';
import type { StepGraph } from './step-graph.ts';
import { type CompileSource, compileTemplateInPieces } from './template.ts';
import { workOf } from './work-of-step.ts';

/** What expressions of a loop call the iteration. */
export const LOOP_ITEM_NAME = 'iteration';
/** What expressions of a handoff and of a conversation call the turn. */
export const TURN_ITEM_NAME = 'turn';

/** For templates without expressions. */
const NOTHING = { run: { id: '', input: null }, step: () => ({ status: 'waiting', output: null }) };

/** The expressions and templates of one step. */
export interface CompiledStep {
  when: Expression | undefined;
  /** Conditions of a branch, in order. */
  cases: readonly Expression[];
  over: Expression | undefined;
  until: Expression | undefined;
  /** Of a conversation: names who speaks next. */
  next: Expression | undefined;
  input: Template | undefined;
  request: Template | undefined;
  wait: PlanWait | undefined;
  delay: PlanDelay | undefined;
}

/** What the compiler of one step needs to know of the rest. */
export interface CompilerSurroundings {
  /** Ids of the approval steps. */
  approvals: ReadonlySet<string>;
  channels: Readonly<Record<string, ChannelDefinition>>;
  compileChild: CompileChild;
}

/** Compiles what expressions a document has, and notes which step reads which. */
export class StepCompiler {
  readonly reads: StepRead[] = [];
  readonly #graph: StepGraph;
  readonly #problems: ProblemList;
  readonly #approvals: ReadonlySet<string>;
  readonly #compileChild: CompileChild;
  readonly #channels: Readonly<Record<string, ChannelDefinition>>;
  readonly #known = new Map<string, ExpressionCompilation>();
  /** What the item of the step that is being compiled has, when that is known. */
  #itemFields: readonly string[] | undefined;

  constructor(graph: StepGraph, problems: ProblemList, { approvals, channels, compileChild }: CompilerSurroundings) {
    this.#graph = graph;
    this.#problems = problems;
    this.#approvals = approvals;
    this.#compileChild = compileChild;
    this.#channels = channels;
  }

  /** In pieces: a step may have ten thousand expressions. */
  *compile(index: number, step: StepDefinition): Generator<void, CompiledStep> {
    const path = stepPointer(this.#graph.ids[index]!);
    this.#itemFields = step.kind === 'handoff' || step.kind === 'conversation' ? TURN_FIELDS[step.kind] : undefined;
    const compiled: CompiledStep = {
      when: step.when === undefined ? undefined : this.#condition(step.when, `${path}/when`, index),
      cases: [],
      over: undefined,
      until: undefined,
      next: undefined,
      input: undefined,
      request: undefined,
      wait: undefined,
      delay: undefined,
    };
    if (isWaitStep(step)) return { ...compiled, wait: yield* this.#wait(step, path, index) };
    if (step.kind === 'branch') {
      const conditions: (Expression | undefined)[] = [];
      for (const [position, { when }] of step.cases.entries()) {
        conditions.push(this.#condition(when, `${path}/cases/${position}/when`, index));
        yield;
      }
      return { ...compiled, cases: conditions.filter((condition) => condition !== undefined) };
    }
    if (step.kind === 'map') {
      const over = this.#list(step.over, `${path}/over`, index);
      const itemName = this.#itemName(step.as, `${path}/as`);
      return { ...compiled, over, ...(yield* this.#work(step.each, `${path}/each`, index, itemName)) };
    }
    if (step.kind === 'broadcast') return { ...compiled, ...(yield* this.#broadcast(step, path, index)) };
    if (step.kind === 'loop') {
      const until =
        step.until === undefined ? undefined : this.#condition(step.until, `${path}/until`, index, LOOP_ITEM_NAME);
      return { ...compiled, until, ...(yield* this.#work(step.each, `${path}/each`, index, LOOP_ITEM_NAME)) };
    }
    if (step.kind === 'handoff') {
      checkHandoff(step, path, this.#problems);
      return { ...compiled, ...(yield* this.#work(step.each, `${path}/each`, index, TURN_ITEM_NAME)) };
    }
    if (step.kind === 'conversation') return { ...compiled, ...(yield* this.#conversation(step, path, index)) };
    if (step.kind === 'delay') return { ...compiled, delay: yield* this.#delay(step, path, index) };
    return { ...compiled, ...(yield* this.#work(step, path, index, undefined)) };
  }

  /** The run's `output`: it may read any step, for all have settled when it is evaluated. */
  compileOutput(output: Json): Generator<void, Template | undefined> {
    return this.#template(output, '/output', undefined, undefined);
  }

  *#work(
    step: WorkStepDefinition | MapEachDefinition,
    path: string,
    index: number,
    itemName: string | undefined,
  ): Generator<void, Pick<CompiledStep, 'input' | 'request'>> {
    const input =
      step.input === undefined ? undefined : yield* this.#template(step.input, `${path}/input`, index, itemName);
    const request =
      step.kind === 'http'
        ? yield* this.#template(withoutUndefined(step.request), `${path}/request`, index, itemName, true)
        : undefined;
    if (step.approvedBy === undefined) return { input, request };
    return this.#guarded(step.approvedBy, { input, request }, path, index);
  }

  *#broadcast(
    step: Extract<StepDefinition, { kind: 'broadcast' }>,
    path: string,
    index: number,
  ): Generator<void, Partial<CompiledStep>> {
    checkBroadcast(step, path, this.#problems);
    const over = step.over === undefined ? undefined : this.#list(step.over, `${path}/over`, index);
    const itemName = this.#itemName(step.as, `${path}/as`);
    const work = workOf(step);
    const workPath = step.each === undefined ? path : `${path}/each`;
    return { over, ...(work !== undefined && (yield* this.#work(work, workPath, index, itemName))) };
  }

  *#conversation(
    step: Extract<StepDefinition, { kind: 'conversation' }>,
    path: string,
    index: number,
  ): Generator<void, Partial<CompiledStep>> {
    checkConversation(step, path, this.#problems);
    const { until: condition, next: speaker } = step;
    const until =
      condition === undefined ? undefined : this.#condition(condition, `${path}/until`, index, TURN_ITEM_NAME);
    const next = speaker === undefined ? undefined : this.#name(speaker, `${path}/next`, index, TURN_ITEM_NAME);
    return { until, next, ...(yield* this.#work(step.each, `${path}/each`, index, TURN_ITEM_NAME)) };
  }

  /** What an attempt is given must be what was approved. */
  #guarded(
    approvedBy: string,
    { input, request }: Pick<CompiledStep, 'input' | 'request'>,
    path: string,
    index: number,
  ): Pick<CompiledStep, 'input' | 'request'> {
    const approval = this.#graph.stepIndex.get(approvedBy);
    const pointer = `${path}/approvedBy`;
    if (approval === undefined || !this.#approvals.has(approvedBy)) {
      this.#problems.error('UNKNOWN_STEP', pointer, `there is no approval step ${shorten(approvedBy)}`);
      return { input, request };
    }
    this.#noteReads([approval], pointer, index);
    if (request !== undefined) return { input, request: guardByApproval(request, approval, approvedBy) };
    if (input !== undefined) return { input: guardByApproval(input, approval, approvedBy), request };
    this.#problems.error(
      'MISSING_FIELD',
      `${path}/input`,
      'a step with approvedBy needs an input: that is what was approved',
    );
    return { input, request };
  }

  *#channelKey(key: string | undefined, path: string, index: number): Generator<void, Template | undefined> {
    return key === undefined ? undefined : yield* this.#template(key, `${path}/key`, index, undefined);
  }

  #channel(name: string): PlanChannel {
    return planChannel(this.#channels, name);
  }

  *#wait(step: WaitStepDefinition, path: string, index: number): Generator<void, PlanWait | undefined> {
    switch (step.kind) {
      case 'signal':
        return { kind: 'signal', name: step.name, timeoutMs: step.timeoutMs, default: step.default };
      case 'webhook':
        return { kind: 'webhook', timeoutMs: step.timeoutMs, default: step.default };
      case 'approval': {
        const action = yield* this.#template(step.action, `${path}/action`, index, undefined);
        const { approvers = [], deadlineMs: timeoutMs } = step;
        return action && { kind: 'approval', action, approvers, timeoutMs, default: step.default };
      }
      case 'workflow': {
        const { workflow, definition, onParentEnd = 'cancel' } = step;
        const input =
          step.input === undefined ? undefined : yield* this.#template(step.input, `${path}/input`, index, undefined);
        yield* checkChild(step, path, this.#problems, this.#compileChild);
        return { kind: 'workflow', workflow, definition, input, onParentEnd, timeoutMs: undefined };
      }
      case 'send': {
        const message = yield* this.#template(step.message, `${path}/message`, index, undefined);
        const key = yield* this.#channelKey(step.key, path, index);
        return (
          message && { kind: 'send', channel: this.#channel(step.channel), key, message, timeoutMs: step.timeoutMs }
        );
      }
      case 'receive': {
        const { count = 1, timeoutMs, default: fallback } = step;
        const key = yield* this.#channelKey(step.key, path, index);
        return { kind: 'receive', channel: this.#channel(step.channel), key, count, timeoutMs, default: fallback };
      }
    }
  }

  *#delay({ forMs, until }: DelayStepDefinition, path: string, index: number): Generator<void, PlanDelay | undefined> {
    if ((forMs === undefined) === (until === undefined)) {
      const [code, field, message] =
        until === undefined
          ? (['MISSING_FIELD', 'forMs', 'a delay needs forMs or until'] as const)
          : (['ILLEGAL_VALUE', 'until', 'a delay has forMs or until, not both'] as const);
      this.#problems.error(code, `${path}/${field}`, message);
      return undefined;
    }
    if (typeof forMs === 'number') return undefined;
    const by = until === undefined ? 'for' : 'until';
    const pointer = `${path}/${until === undefined ? 'forMs' : 'until'}`;
    const value = yield* this.#template(until ?? forMs ?? null, pointer, index, undefined);
    if (value === undefined) return undefined;
    const problem = value.constant ? problemOfDelay(by, value.resolve(NOTHING)) : undefined;
    if (problem !== undefined) this.#problems.error('ILLEGAL_VALUE', pointer, problem);
    return { by, value };
  }

  #itemName(name: string | undefined, path: string): string {
    if (name === undefined) return 'item';
    if (!isTakenName(name)) return name;
    this.#problems.error('ITEM_NAME_TAKEN', path, `${name} means something else in expressions`);
    return 'item';
  }

  #condition(source: string, path: string, index: number, itemName?: string): Expression | undefined {
    const compiled = this.#expression(source, path, index, itemName);
    if (compiled === undefined) return undefined;
    if (compiled.resultType === 'bool' || compiled.resultType === 'dyn') return compiled.expression;
    const message = `a condition is true or false; this gives ${compiled.resultType}`;
    this.#problems.error('EXPRESSION_NOT_BOOLEAN', path, message);
    return undefined;
  }

  #name(source: string, path: string, index: number, itemName: string): Expression | undefined {
    const compiled = this.#expression(source, path, index, itemName);
    if (compiled === undefined) return undefined;
    if (compiled.resultType === 'string' || compiled.resultType === 'dyn') return compiled.expression;
    this.#problems.error(
      'EXPRESSION_INVALID',
      path,
      `a participant is named by text; this gives ${compiled.resultType}`,
    );
    return undefined;
  }

  #list(source: string, path: string, index: number): Expression | undefined {
    const compiled = this.#expression(source, path, index);
    if (compiled === undefined) return undefined;
    if (/^(?:dyn|list)/.test(compiled.resultType)) return compiled.expression;
    this.#problems.error('EXPRESSION_INVALID', path, `a map goes over a list; this gives ${compiled.resultType}`);
    return undefined;
  }

  #expression(
    source: string,
    path: string,
    index: number,
    itemName?: string,
  ): (ExpressionCompilation & { ok: true }) | undefined {
    const compiled = this.#compileSource(source, this.#namesWith(itemName));
    if (compiled.ok) {
      this.#noteReads(compiled.expression.reads, path, index);
      return compiled;
    }
    for (const { code, message, position } of compiled.problems) {
      const place = position === undefined ? '' : ` at character ${position}`;
      this.#problems.error(code, path, `in ${shorten(source, 80)}${place}: ${message}`);
    }
    return undefined;
  }

  *#template(
    value: Json,
    path: string,
    index: number | undefined,
    itemName: string | undefined,
    secrets = false,
  ): Generator<void, Template | undefined> {
    const names = { ...this.#namesWith(itemName), secrets };
    const compiled = yield* compileTemplateInPieces(value, names, this.#compileSource);
    if (!compiled.ok) {
      for (const problem of compiled.problems) this.#problems.error(problem.code, path + problem.path, problem.message);
      return undefined;
    }
    if (index !== undefined) this.#noteReads(compiled.template.reads, path, index);
    return compiled.template;
  }

  #namesWith(itemName: string | undefined): ExpressionNames {
    const itemFields = itemName === undefined ? undefined : this.#itemFields;
    return { stepIndex: this.#graph.stepIndex, itemName, itemFields };
  }

  #noteReads(reads: readonly number[], path: string, reader: number): void {
    for (const read of reads) this.reads.push({ reader, read, path });
  }

  /** Large workflows repeat the same few expressions. */
  readonly #compileSource: CompileSource = (source: string, names: ExpressionNames) => {
    const key = `${names.itemName ?? ''} ${names.itemFields?.join() ?? ''}\n${source}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const compiled = compileExpression(source, names);
    this.#known.set(key, compiled);
    return compiled;
  };
}

/** zod's optional fields may hold undefined, which JSON does not have. */
function withoutUndefined(record: { [key: string]: Json | undefined }): Json {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}
