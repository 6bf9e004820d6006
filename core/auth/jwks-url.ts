/** What is wrong with the address of a key set; undefined where nothing is. The address itself is not repeated. */
export function jwksUrlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return 'must be a URL such as https://issuer.example/.well-known/jwks.json';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackName(url.hostname))) return undefined;
  return 'must begin with https:// (http:// is taken on the loopback address alone)';
}

/** A URL's host as WHATWG writes it: lower case, IPv4 in full, IPv6 in brackets. */
function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
