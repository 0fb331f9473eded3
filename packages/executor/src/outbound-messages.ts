import { DEFAULT_MAX_BYTES } from '@flotilla/channels';
import { DEFAULT_JSON_LIMITS, FlotillaError, findJsonProblem, type Json, type JsonLimits } from '@flotilla/contracts';
import { canonicalJson, type PlanChannel } from '@flotilla/engine';
import type { OutgoingMessage } from '@flotilla/state';

/** What one attempt may send. */
const MAX_MESSAGES = 100;
const MAX_BYTES = 1_048_576;

/** What an attempt has sent to channels so far: nothing of it leaves the attempt before its commit. */
export class OutboundMessages {
  readonly messages: OutgoingMessage[] = [];
  readonly #limits: JsonLimits;
  #bytes = 0;

  constructor(limits: JsonLimits = DEFAULT_JSON_LIMITS) {
    this.#limits = limits;
  }

  /** `channel`: its stored name. @throws FlotillaError CHANNEL_REFUSED */
  add(planned: PlanChannel & { channel: string }, key: string, message: Json): void {
    const { name, channel, maxMessages, maxBytes = DEFAULT_MAX_BYTES } = planned;
    const problem = findJsonProblem(message, this.#limits);
    if (problem !== undefined) throw refused(`a message to channel ${name} cannot be stored: ${problem.message}`);
    if (typeof key !== 'string') throw refused(`the key of a message to channel ${name} is not a text`);
    // What the handler does with the object afterwards is not sent.
    const bodyJson = canonicalJson(message);
    const bytes = Buffer.byteLength(bodyJson);
    if (bytes > maxBytes)
      throw refused(`a message of ${bytes} bytes is larger than channel ${name} (maxBytes ${maxBytes})`);
    const total = this.#bytes + bytes + Buffer.byteLength(key);
    if (this.messages.length === MAX_MESSAGES || total > MAX_BYTES) {
      throw refused(`an attempt sends at most ${MAX_MESSAGES} messages and ${MAX_BYTES} bytes`);
    }
    this.#bytes = total;
    this.messages.push({ channel, key, bodyJson, maxMessages, maxBytes });
  }
}

function refused(message: string): FlotillaError {
  return new FlotillaError('CHANNEL_REFUSED', message);
}
