import { DEFAULT_MAX_BYTES, storedName } from '@flotilla/channels';
import {
  DEFAULT_JSON_LIMITS,
  FlotillaError,
  findJsonProblem,
  idZ,
  type Json,
  type JsonLimits,
} from '@flotilla/contracts';
import { canonicalJson, type Plan, type PlanChannel, planChannel } from '@flotilla/engine';
import type { OutgoingMessage, SentMessages } from '@flotilla/state';
import type { StepChannel } from '@flotilla/steps';

/** What one attempt may send. */
const MAX_MESSAGES = 100;
const MAX_BYTES = 1_048_576;

export interface OutboundOptions {
  runId: string;
  definition: Plan['definition'];
  limits: JsonLimits | undefined;
}

/** What an attempt has sent to channels so far: nothing of it leaves the attempt before its commit. */
export class OutboundMessages {
  readonly #options: OutboundOptions;
  readonly #messages: OutgoingMessage[] = [];
  readonly #ownChannels = new Set<string>();
  #bytes = 0;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  channel(name: string): StepChannel {
    if (!idZ.safeParse(name).success)
      throw refused(`${JSON.stringify(name).slice(0, 200)} is not the name of a channel`);
    const channel = planChannel(this.#options.definition.channels, name);
    return { send: async (message, { key = '' } = {}) => this.#add(channel, key, message) };
  }

  /** What goes with the commit; undefined when nothing was sent. */
  toCommit(): SentMessages | undefined {
    if (this.#messages.length === 0) return undefined;
    return { ownChannels: [...this.#ownChannels], messagesJson: JSON.stringify(this.#messages) };
  }

  #add(planned: PlanChannel, key: string, message: Json): void {
    const { name, maxMessages, maxBytes = DEFAULT_MAX_BYTES } = planned;
    const problem = findJsonProblem(message, this.#options.limits ?? DEFAULT_JSON_LIMITS);
    if (problem !== undefined) throw refused(`a message to channel ${name} cannot be stored: ${problem.message}`);
    if (typeof key !== 'string') throw refused(`the key of a message to channel ${name} is not a text`);
    // What the handler does with the object afterwards is not sent.
    const bodyJson = canonicalJson(message);
    const bytes = Buffer.byteLength(bodyJson);
    if (bytes > maxBytes)
      throw refused(`a message of ${bytes} bytes is larger than channel ${name} (maxBytes ${maxBytes})`);
    this.#bytes += bytes + Buffer.byteLength(key);
    if (this.#messages.length === MAX_MESSAGES || this.#bytes > MAX_BYTES) {
      throw refused(`an attempt sends at most ${MAX_MESSAGES} messages and ${MAX_BYTES} bytes`);
    }
    const channel = storedName(planned, this.#options.runId);
    if (planned.scope === 'run') this.#ownChannels.add(channel);
    this.#messages.push({ channel, key, bodyJson, maxMessages, maxBytes });
  }
}

function refused(message: string): FlotillaError {
  return new FlotillaError('SEND_REFUSED', message);
}
