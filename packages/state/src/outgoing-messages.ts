/** A message that an attempt has sent, on its way from the run that it committed in to the channel. */
export interface OutgoingMessage {
  /** The stored name of the channel. */
  channel: string;
  key: string;
  bodyJson: string;
  maxMessages?: number | undefined;
  maxBytes?: number | undefined;
}
