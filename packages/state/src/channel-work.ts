/** A message that an attempt has sent, on its way from the run that it committed in to the channel. */
export interface OutgoingMessage {
  /** The stored name of the channel. */
  channel: string;
  key: string;
  bodyJson: string;
  maxMessages?: number | undefined;
  maxBytes?: number | undefined;
}

/** What a committed attempt has done with channels, until a scheduler has carried it out. */
export interface ChannelWork {
  /** In the order in which they were sent. */
  sent: OutgoingMessage[];
  /** Messages that it has consumed. */
  taken: { channel: string; assignment: string }[];
}
