import type { Json, Problem } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { type CompiledSchema, checkInput, compileSchema } from '@flotilla/input-schema';
import { loopTurns } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

/** Compiled schemas are remembered up to this: each is a function of some dozens of times its text. */
const MAX_COMPILED_BYTES = 67_108_864;
const BYTES_PER_CHARACTER = 40;
const BYTES_PER_SCHEMA = 10_000;

/** The input schemas of workflows, compiled when they are first needed, and one at a time. */
export class InputSchemas {
  readonly #compiled = new LRUCache<string, CompiledSchema>({
    maxSize: MAX_COMPILED_BYTES,
    sizeCalculation: ({ characters }) => BYTES_PER_SCHEMA + characters * BYTES_PER_CHARACTER,
  });

  /** What is wrong with the schema itself; pointers into the definition, under `/input`. */
  schemaProblems(plan: Plan, { remember }: { remember: boolean }): Promise<readonly Problem[]> {
    return loopTurns.run(() => this.#of(plan, remember)?.problems ?? []);
  }

  /** What is wrong with an input; pointers under `/input`. Empty for a workflow without a schema. */
  check(plan: Plan, input: Json, inputCharacters: number): Promise<Problem[]> {
    return loopTurns.run(() => {
      const compiled = this.#of(plan, true);
      return compiled === undefined ? [] : checkInput(compiled, input, inputCharacters);
    });
  }

  #of(plan: Plan, remember: boolean): CompiledSchema | undefined {
    const schema = plan.definition.input;
    if (schema === undefined) return undefined;
    let compiled = this.#compiled.get(plan.hash);
    if (compiled === undefined) {
      const result = compileSchema(schema);
      compiled = result;
      // A slow moment of the machine is not the schema's fault for ever.
      if (remember && !result.timedOut) this.#compiled.set(plan.hash, result);
    }
    return compiled;
  }
}
