import { expect, test } from '@jest/globals';
import { certificateHint } from './certificate-hint.ts';

test.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])(
  '%s says how to have the authority known',
  (code) => {
    expect(certificateHint(code)).toBe(
      '; its certificate is not of an authority that is known here: name the PEM file of its authority in NODE_EXTRA_CA_CERTS',
    );
  },
);

test.each(['CERT_HAS_EXPIRED', 'ECONNREFUSED', undefined])('%s needs something else', (code) => {
  expect(certificateHint(code)).toBe('');
});
