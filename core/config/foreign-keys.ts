import type { Problems } from '#core/config/problems.ts';

/** Members of a server that other MCP clients know and this service does not obey, with what to do instead. */
const SERVER_KEYS: Readonly<Record<string, string>> = {
  alwaysAllow: '',
  autoApprove: '',
  description: '',
  dev: '',
  disabled: 'the server is served all the same; remove it here, or name the bridges to serve',
  disabledTools: 'its tools can be called all the same',
  enabledTools: 'all of its tools can be called',
  envFile: 'the file is not read; put the variables into env',
  excludeTools: 'its tools can be called all the same',
  gallery: '',
  icon: '',
  icons: '',
  iconUrl: '',
  includeTools: 'all of its tools can be called',
  initTimeout: 'set pool.startDeadlineMs',
  inputs: '',
  name: 'the key under mcpServers is the name',
  networkTimeout: 'set deadlineMs under tools',
  startup_timeout_ms: 'set pool.startDeadlineMs',
  timeout: 'set deadlineMs under tools',
  title: '',
  tool_timeout_sec: 'set deadlineMs under tools',
  transport: '',
  transportType: '',
  trust: '',
  type: '',
  version: '',
};

/** Members beside `mcpServers` that other clients write into the same file. */
const FILE_KEYS: readonly string[] = ['inputs', 'globalShortcut', 'preferences', 'theme', 'sandbox'];

/** Members that only a server reached by an address has. */
const URL_KEYS = ['url', 'serverUrl', 'httpUrl', 'headers', 'oauth', 'auth'] as const;

type JsonObject = Readonly<Record<string, unknown>>;

/** The file without what other MCP clients keep in it; each such member is warned about. */
export function withoutForeignFileKeys(file: JsonObject, where: string, problems: Problems): JsonObject {
  return omit(file, (key) => {
    if (key === '$schema') return true;
    if (!FILE_KEYS.includes(key)) return false;
    problems.warn(`${where} ${key}`, 'belongs to other MCP clients and has no effect here');
    return true;
  });
}

/**
 * A server without what other MCP clients keep in it; each such member is warned about. A server reached by an
 * address is a problem, since this service runs stdio servers, and undefined.
 */
export function withoutForeignServerKeys(
  server: JsonObject,
  where: string,
  problems: Problems,
): JsonObject | undefined {
  const transport = server.type ?? server.transport ?? server.transportType;
  const address = URL_KEYS.find((key) => server[key] !== undefined);
  if (address !== undefined || (typeof transport === 'string' && transport !== 'stdio')) {
    const key = address ?? (['type', 'transport', 'transportType'].find((k) => server[k] !== undefined) as string);
    problems.add(
      `${where}.${key}`,
      'a server reached by an address cannot be served; give command and args of a stdio server',
    );
    return undefined;
  }
  return omit(server, (key, value) => {
    const hint = Object.hasOwn(SERVER_KEYS, key) ? SERVER_KEYS[key] : undefined;
    if (hint === undefined) return false;
    const says = key.startsWith('t') && value === 'stdio' ? '' : 'belongs to other MCP clients and has no effect here';
    if (says !== '') problems.warn(`${where}.${key}`, hint === '' ? says : `${says}: ${hint}`);
    return true;
  });
}

function omit(object: JsonObject, leave: (key: string, value: unknown) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key, value]) => !leave(key, value)));
}
