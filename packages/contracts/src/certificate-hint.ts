const UNKNOWN_AUTHORITY: ReadonlySet<unknown> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** What to do about a certificate whose authority this process does not know, to be put behind a message; else nothing. */
export function certificateHint(code: unknown): string {
  if (!UNKNOWN_AUTHORITY.has(code)) return '';
  return '; its certificate is not of an authority that is known here: name the PEM file of its authority in NODE_EXTRA_CA_CERTS';
}
