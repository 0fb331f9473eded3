/**
 * What evaluating one expression may cost. A unit is about the work of one syntax node (some 50 ns): the limit keeps
 * the event loop from being blocked for longer than some tens of milliseconds by any expression on any data.
 */
const MAX_EVALUATION_COST = 500_000;
/** What the expressions of one template, or the cases of one branch, may cost together. */
export const MAX_TEMPLATE_COST = 1_000_000;
/** Longest text and list that an expression may build on its way. */
const MAX_TEXT_CHARACTERS = 1_048_576;
export const MAX_LIST_ITEMS = 100_000;

const CHARACTERS_PER_UNIT = 64;
/** Comparing a key means to look it up on the other side. */
const UNITS_PER_KEY = 4;

/** Thrown inside an evaluation; its message says why in words that never hold data. */
export class EvaluationFault extends Error {
  override readonly name = 'EvaluationFault';
}

/** Shared objects: a comprehension that swallows errors may meet them a hundred thousand times. */
const TOO_COSTLY = new EvaluationFault('it needs more work than an expression may cost');
const TOO_COSTLY_TOGETHER = new EvaluationFault(
  'it and the expressions beside it need more work than they may cost together',
);

/** What is left of the allowance of the evaluation that is going on. */
export class EvaluationCost {
  readonly #budget: { costLeft: number };
  readonly #granted: number;
  #left: number;

  /** `budget`: what is left for all that is evaluated together. */
  constructor(budget: { costLeft: number } = { costLeft: MAX_TEMPLATE_COST }) {
    this.#budget = budget;
    this.#granted = Math.min(MAX_EVALUATION_COST, budget.costLeft);
    this.#left = this.#granted;
  }

  charge(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw this.#fault;
  }

  /** `||`, `all` and `exists` forgive errors of their parts; this one is not forgiven. */
  assertWithin(): void {
    if (this.#left < 0) throw this.#fault;
  }

  /** Takes what was used from the budget. Called once, however the evaluation ended. */
  settle(): void {
    this.#budget.costLeft = Math.max(0, this.#budget.costLeft - (this.#granted - this.#left));
  }

  get #fault(): EvaluationFault {
    return this.#granted < MAX_EVALUATION_COST ? TOO_COSTLY_TOGETHER : TOO_COSTLY;
  }

  /** For what looks at all of a value, such as `==`: counts its parts, no further than what is left. */
  chargeWhole(value: unknown): void {
    const stack: unknown[] = [value];
    while (stack.length > 0) {
      const current = stack.pop();
      if (typeof current === 'string') {
        this.charge(1 + Math.floor(current.length / CHARACTERS_PER_UNIT));
      } else if (typeof current === 'object' && current !== null) {
        const parts: unknown[] = current instanceof Map ? [...current.values()] : Object.values(current);
        this.charge(1 + parts.length * (Array.isArray(current) ? 1 : UNITS_PER_KEY));
        for (const part of parts) if (typeof part === 'object' || typeof part === 'string') stack.push(part);
      }
    }
  }

  /** For what looks at a text from end to end or goes once over a list. */
  chargeLength(value: unknown): void {
    if (typeof value === 'string') this.charge(Math.floor(value.length / CHARACTERS_PER_UNIT));
    else if (Array.isArray(value)) this.charge(value.length);
    else if (value instanceof Uint8Array) this.charge(Math.floor(value.length / CHARACTERS_PER_UNIT));
  }

  /** For what builds a new text, list or bytes. Returns the value. */
  chargeBuilt(value: unknown): unknown {
    if (value instanceof Uint8Array && value.length > MAX_TEXT_CHARACTERS) {
      throw new EvaluationFault(`it builds bytes longer than ${MAX_TEXT_CHARACTERS}`);
    }
    if (typeof value === 'string' && value.length > MAX_TEXT_CHARACTERS) {
      throw new EvaluationFault(`it builds a text longer than ${MAX_TEXT_CHARACTERS} characters`);
    }
    if (Array.isArray(value) && value.length > MAX_LIST_ITEMS) {
      throw new EvaluationFault(`it builds a list longer than ${MAX_LIST_ITEMS} items`);
    }
    this.chargeLength(value);
    return value;
  }
}
