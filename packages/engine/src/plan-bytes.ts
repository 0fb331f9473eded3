/** Upper bounds as measured: a record whose keys no other has takes the most, for each key. */
const BYTES_PER_CHARACTER = 2;
const BYTES_PER_KEY = 250;
const BYTES_PER_CONTAINER = 150;
const BYTES_PER_STEP = 600;
const BYTES_PER_EDGE = 60;
const BYTES_PER_EXPRESSION = 500;

export interface PlanSize {
  characters: number;
  keys: number;
  /** Lists and records. */
  containers: number;
  steps: number;
  edges: number;
  /** In inputs, requests and the output. */
  expressions: number;
}

/** About how much memory a plan takes, what its expressions compile to apart: that has a bound of its own. */
export function estimatePlanBytes({ characters, keys, containers, steps, edges, expressions }: PlanSize): number {
  return (
    2000 +
    characters * BYTES_PER_CHARACTER +
    keys * BYTES_PER_KEY +
    containers * BYTES_PER_CONTAINER +
    steps * BYTES_PER_STEP +
    edges * BYTES_PER_EDGE +
    expressions * BYTES_PER_EXPRESSION
  );
}
