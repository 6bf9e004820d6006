/**
 * What a child may inherit from the process that starts it: where programs, homes and time zones are, how to
 * print, and which certificates to trust. Left out on purpose: everything that can carry a secret (proxy URLs,
 * tokens), that changes what a runtime executes (NODE_OPTIONS, LD_PRELOAD, PYTHONPATH), or that is ours alone.
 * A server that needs one of those gets it by its own configured environment.
 */
export const INHERITED_VARIABLES: readonly string[] = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'LANG',
  'LANGUAGE',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TMPDIR',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
];

/**
 * The whole environment of a child: the allow-listed part of `base`, and `own` over it.
 * Inherited values that are exported shell functions (`() {…`) are left out.
 */
export function childEnvironment(
  base: Readonly<Record<string, string | undefined>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED_VARIABLES) {
    const value = base[name];
    if (value !== undefined && !value.startsWith('()')) environment[name] = value;
  }
  return { ...environment, ...own };
}
