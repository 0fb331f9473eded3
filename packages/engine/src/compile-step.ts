import type { Json, MapEachDefinition, StepDefinition } from '@flotilla/contracts';
import { isTakenName } from './cel-environment.ts';
import { stepPointer } from './check-form.ts';
import type { StepRead } from './check-upstream-reads.ts';
import { compileExpression, type ExpressionCompilation, type ExpressionNames } from './evaluate-expression.ts';
import type { Expression, Template } from './plan.ts';
import { type ProblemList, shorten } from './problem-list.ts';
import type { StepGraph } from './step-graph.ts';
import { type CompileSource, compileTemplate } from './template.ts';

/** The expressions and templates of one step. */
export interface CompiledStep {
  when: Expression | undefined;
  /** Conditions of a branch, in order. */
  cases: readonly Expression[];
  over: Expression | undefined;
  input: Template | undefined;
  request: Template | undefined;
}

/** Compiles what expressions a document has, and notes which step reads which. */
export class StepCompiler {
  readonly reads: StepRead[] = [];
  readonly #graph: StepGraph;
  readonly #problems: ProblemList;
  readonly #known = new Map<string, ExpressionCompilation>();

  constructor(graph: StepGraph, problems: ProblemList) {
    this.#graph = graph;
    this.#problems = problems;
  }

  compile(index: number, step: StepDefinition): CompiledStep {
    const path = stepPointer(this.#graph.ids[index]!);
    const compiled: CompiledStep = {
      when: step.when === undefined ? undefined : this.#condition(step.when, `${path}/when`, index),
      cases: [],
      over: undefined,
      input: undefined,
      request: undefined,
    };
    if (step.kind === 'branch') {
      const conditions = step.cases.map(({ when }, position) =>
        this.#condition(when, `${path}/cases/${position}/when`, index),
      );
      return { ...compiled, cases: conditions.filter((condition) => condition !== undefined) };
    }
    if (step.kind === 'map') {
      const over = this.#list(step.over, `${path}/over`, index);
      const itemName = this.#itemName(step.as, `${path}/as`);
      return { ...compiled, over, ...this.#work(step.each, `${path}/each`, index, itemName) };
    }
    return step.kind === 'delay' ? compiled : { ...compiled, ...this.#work(step, path, index, undefined) };
  }

  /** The run's `output`: it may read any step, for all have settled when it is evaluated. */
  compileOutput(output: Json): Template | undefined {
    return this.#template(output, '/output', undefined, undefined);
  }

  #work(
    step: Exclude<StepDefinition, { kind: 'delay' | 'branch' | 'map' }> | MapEachDefinition,
    path: string,
    index: number,
    itemName: string | undefined,
  ): Pick<CompiledStep, 'input' | 'request'> {
    const input = step.input === undefined ? undefined : this.#template(step.input, `${path}/input`, index, itemName);
    const request =
      step.kind === 'http'
        ? this.#template(withoutUndefined(step.request), `${path}/request`, index, itemName)
        : undefined;
    return { input, request };
  }

  #itemName(name: string | undefined, path: string): string {
    if (name === undefined) return 'item';
    if (!isTakenName(name)) return name;
    this.#problems.error('ITEM_NAME_TAKEN', path, `${name} means something else in expressions`);
    return 'item';
  }

  #condition(source: string, path: string, index: number): Expression | undefined {
    const compiled = this.#expression(source, path, index);
    if (compiled === undefined) return undefined;
    if (compiled.resultType === 'bool' || compiled.resultType === 'dyn') return compiled.expression;
    const message = `a condition is true or false; this gives ${compiled.resultType}`;
    this.#problems.error('EXPRESSION_NOT_BOOLEAN', path, message);
    return undefined;
  }

  #list(source: string, path: string, index: number): Expression | undefined {
    const compiled = this.#expression(source, path, index);
    if (compiled === undefined) return undefined;
    if (/^(?:dyn|list)/.test(compiled.resultType)) return compiled.expression;
    this.#problems.error('EXPRESSION_INVALID', path, `a map goes over a list; this gives ${compiled.resultType}`);
    return undefined;
  }

  #expression(source: string, path: string, index: number): (ExpressionCompilation & { ok: true }) | undefined {
    const compiled = this.#compileSource(source, { stepIndex: this.#graph.stepIndex });
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

  #template(value: Json, path: string, index: number | undefined, itemName: string | undefined): Template | undefined {
    const names = { stepIndex: this.#graph.stepIndex, itemName };
    const compiled = compileTemplate(value, names, this.#compileSource);
    if (!compiled.ok) {
      for (const problem of compiled.problems) this.#problems.error(problem.code, path + problem.path, problem.message);
      return undefined;
    }
    if (index !== undefined) this.#noteReads(compiled.template.reads, path, index);
    return compiled.template;
  }

  #noteReads(reads: readonly number[], path: string, reader: number): void {
    for (const read of reads) this.reads.push({ reader, read, path });
  }

  /** Large workflows repeat the same few expressions. */
  readonly #compileSource: CompileSource = (source: string, names: ExpressionNames) => {
    const key = `${names.itemName ?? ''}\n${source}`;
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
