import { FlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { type AttemptAddress, MICROS_PER_USD, type State, type Usage } from '@flotilla/state';
import type { StepUsage, UsedByStep } from '@flotilla/steps';
import { z } from 'zod';
import { runOutsideScope } from './attempt-scope.ts';
import { retryUntilAnswered } from './retry-until-answered.ts';

const usedZ = z.strictObject({
  costUSD: z.number().min(0).max(1e6).default(0),
  tokens: z.number().int().min(0).max(1e12).default(0),
});

export interface AttemptUsageOptions {
  state: Pick<State<Plan>, 'transitions'>;
  address: AttemptAddress;
  budget: Plan['definition']['budget'];
}

/** What an attempt uses, counted as it is told: an attempt that fails or is lost afterwards has spent it too. */
export class AttemptUsage implements StepUsage {
  readonly #options: AttemptUsageOptions;
  #costMicros = 0;
  #tokens = 0;

  constructor(options: AttemptUsageOptions) {
    this.#options = options;
  }

  // A function, not a method: authors take it out of the context.
  readonly add = async (given: UsedByStep): Promise<void> => {
    const used = usedZ.safeParse(given);
    if (!used.success) throw new FlotillaError('USAGE_INVALID', z.prettifyError(used.error));
    // Rounded up: what is counted is at least what was spent.
    this.#costMicros += Math.ceil(Number((used.data.costUSD * MICROS_PER_USD).toFixed(3)));
    this.#tokens += used.data.tokens;
    const { state, address } = this.#options;
    const own = { costMicros: this.#costMicros, tokens: this.#tokens };
    const total = await runOutsideScope(() =>
      retryUntilAnswered(() => state.transitions.countUsage(address, own, this.#pauseEach())),
    );
    if (total !== undefined) this.#check(total.costMicros / MICROS_PER_USD, total.tokens);
  };

  /** Millionths are rounded down: a run never uses more unnoticed. */
  #pauseEach(): Partial<Usage> {
    const { budget } = this.#options;
    if (budget?.onExceeded !== 'pause') return {};
    const { costUSD, tokens } = budget;
    return {
      ...(costUSD !== undefined && { costMicros: Math.floor(costUSD * MICROS_PER_USD) }),
      ...(tokens !== undefined && { tokens }),
    };
  }

  #check(costUSD: number, tokens: number): void {
    const { budget } = this.#options;
    if (budget?.onExceeded === 'pause') return;
    if (budget?.costUSD !== undefined && costUSD > budget.costUSD) {
      throw new FlotillaError('BUDGET_EXCEEDED', `the run has used ${costUSD} USD; its budget is ${budget.costUSD}`);
    }
    if (budget?.tokens !== undefined && tokens > budget.tokens) {
      throw new FlotillaError('BUDGET_EXCEEDED', `the run has used ${tokens} tokens; its budget is ${budget.tokens}`);
    }
  }
}
