import { RE2JS } from 're2js';

/**
 * A user's regular expression that takes time linear in the text (RE2), in the shape that ajv wants. What RE2 does not
 * have, lookaround and back references, throws when the schema is compiled.
 */
class LinearPattern {
  readonly #source: string;
  readonly #pattern: RE2JS;

  constructor(source: string) {
    this.#source = source;
    this.#pattern = RE2JS.compile(RE2JS.translateRegExp(source));
  }

  test(text: string): boolean {
    return this.#pattern.test(text);
  }

  /** Ajv keeps compiled patterns under this text. */
  toString(): string {
    return `linear:${this.#source}`;
  }
}

/** Option `code.regExp` of ajv. `code` would be used by generated modules only, which we do not make. */
export const linearPattern = Object.assign((source: string): LinearPattern => new LinearPattern(source), {
  code: 'linearPattern',
});
