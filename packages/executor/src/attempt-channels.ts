import { storedName } from '@flotilla/channels';
import { FlotillaError, idZ, type JsonLimits } from '@flotilla/contracts';
import { type Plan, planChannel } from '@flotilla/engine';
import type { AttemptAddress, ChannelWork, CommittedChannelWork, State } from '@flotilla/state';
import type { StepChannel } from '@flotilla/steps';
import { runOutsideScope } from './attempt-scope.ts';
import { type ChannelGate, InboundMessages } from './inbound-messages.ts';
import { OutboundMessages } from './outbound-messages.ts';

export interface AttemptChannelsOptions {
  state: Pick<State<Plan>, 'run'>;
  /** Undefined: messages can be sent and none received. */
  gate: ChannelGate | undefined;
  address: AttemptAddress;
  definition: Plan['definition'];
  limits: JsonLimits | undefined;
  signal: AbortSignal;
}

/** The channels that an attempt uses: nothing that it does with them shows before its commit. */
export class AttemptChannels {
  readonly #options: AttemptChannelsOptions;
  readonly #ownChannels = new Set<string>();
  readonly #outbound: OutboundMessages;
  readonly #inbound: InboundMessages | undefined;

  constructor(options: AttemptChannelsOptions) {
    this.#options = options;
    const { state, gate, address, signal, limits } = options;
    const { runId, key, fence, createdAt } = address;
    this.#outbound = new OutboundMessages(limits);
    const isHeld = (other: { runId: string; key: string; fence: string }) =>
      state.run(other.runId).holdsTaken(other.key, other.fence);
    const attempt = { runId, key, fence: String(fence - createdAt) };
    this.#inbound = gate && new InboundMessages({ gate, attempt, signal, isHeld });
  }

  open(name: string): StepChannel {
    if (!idZ.safeParse(name).success) {
      throw new FlotillaError('CHANNEL_REFUSED', `${JSON.stringify(name).slice(0, 200)} is not the name of a channel`);
    }
    const { definition, address } = this.#options;
    const planned = planChannel(definition.channels, name);
    const channel = storedName(planned, address.runId);
    const note = () => {
      if (planned.scope === 'run') this.#ownChannels.add(channel);
    };
    return {
      send: async (message, { key = '' } = {}) => {
        this.#outbound.add({ ...planned, channel }, key, message);
        note();
      },
      receive: async (options) => {
        note();
        const inbound = this.#inbound;
        if (inbound === undefined) throw new FlotillaError('CHANNEL_REFUSED', 'this worker receives no messages');
        return runOutsideScope(() => inbound.receive(channel, options));
      },
    };
  }

  /** What goes with the commit; undefined when no channel was used. Nothing is received from then on. */
  toCommit(): CommittedChannelWork | undefined {
    this.#inbound?.close();
    const work: ChannelWork = { sent: this.#outbound.messages, taken: this.#inbound?.taken ?? [] };
    if (work.sent.length + work.taken.length === 0) return undefined;
    return { ownChannels: [...this.#ownChannels], workJson: JSON.stringify(work) };
  }

  /** The attempt has ended without a commit. Never rejects. */
  async release(): Promise<void> {
    await this.#inbound?.release();
  }
}
