import { type SentinelConnectionOptions, SentinelConnector } from 'ioredis';

interface FailoverDetector {
  isDisconnected: boolean;
}

/**
 * Finds the primary by asking Sentinels, and goes on looking for it when a Sentinel tells of a failover meanwhile. The
 * client's own connector takes that for the wish to end: whoever was looking for a primary when it was told of the new one
 * was given up, and its client never connected again.
 */
export class SteadySentinelConnector extends SentinelConnector {
  /** The listener for failovers that was there when the connection was ended last. */
  #ended: FailoverDetector | undefined;

  /** What a client hands over is not typed. */
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions);
  }

  override disconnect(): void {
    // Kept by the client to itself; it has ended itself before it ends the connection.
    const { failoverDetector } = this as unknown as { failoverDetector: FailoverDetector | null };
    const detector = failoverDetector ?? undefined;
    const isFailover = detector?.isDisconnected === true && detector !== this.#ended;
    this.#ended = detector;
    const wasLooking = this.connecting;
    super.disconnect();
    if (isFailover) this.connecting = wasLooking;
  }
}
