import type { Json } from '@flotilla/contracts';

/** Numbers from 0 up to 1 that follow from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Picks what is costly more often than what is usual. */
export class RandomCases {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)]!;
  }

  upTo(highest: number): number {
    return 1 + Math.floor(this.#random() * highest);
  }

  /** JSON of about so many characters, of one of the forms that cost most for their length. */
  json(characters: number): Json {
    const count = (each: number) =>
      Array.from({ length: Math.max(1, Math.floor(characters / each)) }, (_, index) => index);
    switch (this.pick(['objects', 'lists', 'numbers', 'shapes', 'record', 'text', 'controls', 'deep'])) {
      case 'objects':
        return count(3).map(() => ({}));
      case 'lists':
        return count(3).map(() => []);
      case 'numbers':
        return count(2).map(() => 0);
      case 'shapes':
        return count(28).map((index) => ({ [`k${index}`]: 1, [`l${index}`]: {} }));
      case 'record':
        return Object.fromEntries(
          count(12)
            .slice(0, 24_000)
            .map((index) => [`key${index}`, index]),
        );
      case 'text':
        return this.pick(['x', 'é', 'ab"']).repeat(Math.floor(characters / 3));
      case 'controls':
        return '\u0001'.repeat(Math.floor(characters / 6));
      default:
        return count(40).map((index) => [[[[[[{ a: [[index]] }]]]]]]);
    }
  }

  pattern(): string {
    const atom = this.pick([
      '\\\\pL',
      '[^\\\\PL\\\\pN]',
      'a{1000}',
      '(?:ab{30}){30}',
      '[a-z]',
      '(a|b)*',
      '.*',
      '\\\\p{Han}',
      'x',
    ]);
    const flags = this.pick(['', '(?i)']);
    return `${flags}${atom.repeat(this.upTo(Math.max(1, Math.floor(500 / atom.length))))}`;
  }

  expression(depth = 3): string {
    const inner = () => this.expression(depth - 1);
    if (depth <= 0) {
      return this.pick([
        ...['run.input.data', 'run.input.text', 'run.input.list', 'run.input.needle', 'steps.a.output', 'run.id'],
        ...[
          'x',
          '1',
          '"x"',
          'null',
          '[1, 2]',
          '{"k": run.input.data}',
          'run.input.list.map(y, run.input.data)',
          'run.input.nothing',
        ],
      ]);
    }
    const over = this.pick(['run.input.list', 'run.input.list', 'steps.a.output', inner()]);
    return this.pick([
      () => `${over}.${this.pick(['map', 'filter', 'all', 'exists', 'exists_one'])}(x, ${inner()})`,
      () => `${over}.map(x, {"a": ${inner()}, "b": run.input.data})`,
      () => `(${inner()} ${this.pick(['==', '!=', '+', 'in', '||', '&&', '<'])} ${inner()})`,
      () =>
        `run.input.text.${this.pick(['contains', 'indexOf', 'lastIndexOf', 'split', 'startsWith'])}(run.input.needle)`,
      () => `run.input.text.matches("${this.pattern()}")`,
      () => `run.input.text.matches(run.input.pattern)`,
      () => `size(run.input.text${this.pick(['', '.split("")', '.lowerAscii()', ' + run.input.text'])})`,
      () => `${this.pick(['duration', 'timestamp', 'int', 'double', 'bytes', 'string', 'size', 'type'])}(${inner()})`,
      () => `cel.bind(z, ${inner()}, [z, z, z])`,
      () => `timestamp(1).getHours("Europe/Berlin") == ${inner()}`,
      () => `(${inner()} ? ${inner()} : ${inner()})`,
      () => `steps.a.output.map(x, ${inner()})`,
    ])();
  }

  /** A definition of up to so many steps, and of a few megabytes at most. */
  definition(maxSteps: number): Json {
    const steps: { [id: string]: Json } = { a: { kind: 'task', use: 'x' } };
    const many = this.pick([1, 20, maxSteps]);
    const form = this.pick(['when', 'pattern', 'input', 'template', 'branch', 'needs', 'data']);
    for (let index = 0; index < many; index += 1) steps[`s${index}`] = this.#step(form, index, many);
    return {
      flotilla: 1,
      name: 'costly',
      steps,
      ...(this.#random() < 0.3 && { output: `\${{ ${this.expression()} }}` }),
    };
  }

  #step(form: string, index: number, many: number): Json {
    const task = { kind: 'task', use: 'x', needs: ['a'] };
    const share = Math.floor(2_000_000 / many);
    switch (form) {
      case 'when':
        return { ...task, when: `size(${this.expression(2)}) == ${index}` };
      case 'pattern':
        return { ...task, when: `run.id.matches("${this.pattern()}${index}")` };
      case 'template':
        return {
          ...task,
          input: Array.from({ length: Math.min(9000, share / 30) }, (_, n) => `a \${{ run.input.x${n} }}`),
        };
      case 'branch':
        return { kind: 'branch', needs: ['a'], cases: [{ when: `${this.expression(2)} == 1`, to: 'a2' }] };
      case 'needs':
        return { ...task, needs: Array.from({ length: Math.min(index, 200) }, (_, n) => `s${n}`) };
      case 'data':
        return { ...task, input: this.json(Math.min(share, 1_000_000)) };
      default:
        return { ...task, input: { a: '${{ run.input.data }}', b: index, c: [`\${{ ${this.expression(1)} }}`] } };
    }
  }

  schema(): { [key: string]: Json } {
    const count = this.upTo(400);
    const properties = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `p${index}`,
        this.pick<Json>([
          { type: 'string', pattern: '^[a-z\\pL]{1,100}$' },
          {
            anyOf: [
              { type: 'object', required: ['a'] },
              { type: 'array', items: { $ref: '#' } },
            ],
          },
          { type: 'array', uniqueItems: true },
          { enum: Array.from({ length: 50 }, (_value, n) => n) },
        ]),
      ]),
    );
    return { type: 'object', properties, unevaluatedProperties: this.pick([true, false]) };
  }
}
