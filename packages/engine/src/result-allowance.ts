import { EvaluationFault } from './expression-cost.ts';

/** Characters that one resolved template, or the result of one expression, may have as JSON. */
const MAX_RESULT_CHARACTERS = 4_194_304;
/** Keys and values that it may have: records, lists, and what is in them. */
const MAX_RESULT_VALUES = 200_000;

const TOO_LARGE = new EvaluationFault(
  `the result is larger than ${MAX_RESULT_CHARACTERS} characters or ${MAX_RESULT_VALUES} keys and values`,
);

/**
 * What is left of the size that results may have. An expression names the same data any number of times at no cost;
 * written out as JSON each of them counts. So results are measured before anything converts, writes or stores them.
 */
export class ResultAllowance {
  #charactersLeft = MAX_RESULT_CHARACTERS;
  #valuesLeft = MAX_RESULT_VALUES;

  /** One key or value and its characters as JSON, parts apart. Error: `EvaluationFault`. */
  charge(characters: number): void {
    this.#charactersLeft -= characters;
    this.#valuesLeft -= 1;
    if (this.#charactersLeft < 0 || this.#valuesLeft < 0) throw TOO_LARGE;
  }

  /** JSON data as a whole; stops where the allowance ends. */
  chargeData(value: unknown): void {
    if (typeof value !== 'object' || value === null) {
      this.charge(lengthOfPrimitive(value));
      return;
    }
    const open: object[] = [value];
    this.charge(2);
    while (open.length > 0) {
      const container = open.pop();
      if (Array.isArray(container)) for (const part of container) this.#chargePart(part, open);
      else {
        for (const [key, part] of Object.entries(container ?? {})) {
          this.charge(key.length + 3);
          this.#chargePart(part, open);
        }
      }
    }
  }

  #chargePart(part: unknown, open: object[]): void {
    if (typeof part === 'object' && part !== null) {
      open.push(part);
      this.charge(3);
    } else this.charge(1 + lengthOfPrimitive(part));
  }
}

function lengthOfPrimitive(value: unknown): number {
  return typeof value === 'string' ? value.length + 2 : 4;
}
