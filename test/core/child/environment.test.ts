import { expect, it } from 'vitest';
import { childEnvironment } from '#core/child/environment.ts';

it('a child inherits where programs and certificates are, and nothing else', () => {
  const base = {
    PATH: '/bin',
    HOME: '/home/x',
    TZ: 'UTC',
    SSL_CERT_FILE: '/ca.pem',
    LANG: undefined,
    API_KEYS_FILE: '/secret',
    STRIPE_API_KEY: 'sk',
    NODE_OPTIONS: '--inspect',
    LD_PRELOAD: '/evil.so',
    HTTPS_PROXY: 'http://user:password@proxy',
  };
  expect(childEnvironment(base, {})).toEqual({ PATH: '/bin', HOME: '/home/x', TZ: 'UTC', SSL_CERT_FILE: '/ca.pem' });
});

it('the configured environment is set whole, over what is inherited', () => {
  expect(childEnvironment({ PATH: '/bin', HOME: '/root' }, { PATH: '/opt', NODE_OPTIONS: '--x', TOKEN: 't' })).toEqual({
    PATH: '/opt',
    HOME: '/root',
    NODE_OPTIONS: '--x',
    TOKEN: 't',
  });
});

it('an exported shell function is not inherited', () => {
  expect(childEnvironment({ TERM: '() { :; }; echo', SHELL: '/bin/sh' }, {})).toEqual({ SHELL: '/bin/sh' });
});
