import { BREAKER_SETTINGS } from '#core/config/breaker-settings.ts';
import { refusedBridgeName } from '#core/config/bridge-name.ts';
import { withoutForeignFileKeys, withoutForeignServerKeys } from '#core/config/foreign-keys.ts';
import type { NumberSetting } from '#core/config/number-setting.ts';
import { POOL_SETTINGS } from '#core/config/pool-settings.ts';
import type { Problems } from '#core/config/problems.ts';
import {
  type Checked,
  choice,
  didYouMean,
  flag,
  isObject,
  type JsonSchema,
  list,
  members,
  named,
  numeric,
  type Shape,
  text,
} from '#core/config/shape.ts';
import { TOOL_NUMBERS } from '#core/config/tool-policy.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how the operator writes it.
const fromEnvironment = '${NAME} and ${NAME:-default} are taken from the environment.';

const tool = members(
  {
    effect: choice(['read', 'idempotent', 'write'], 'write', 'What repeating the tool does.'),
    ...numerics(TOOL_NUMBERS),
    idempotencyKey: choice(['never', 'optional', 'required'], 'optional', 'What is made of an Idempotency-Key.'),
    reconcile: flag(
      false,
      'Asked with mcp-bridge-fleet/reconcile in params._meta, the tool runs nothing and tells what became of the earlier call with its key. It is asked only where its server says the same in the _meta of the listed tool; never true for a tool that ignores the question, since it would run.',
    ),
    vendorKey: flag(false, 'The tool takes the key from params._meta and hands it to its vendor.'),
  },
  'Your word on a tool; what the server says of itself is only shown.',
);

const server = members(
  {
    command: text('The program; required unless a bridge that comes with the service has this name.'),
    args: list(text('', { mayBeEmpty: true }), fromEnvironment),
    env: named(
      text('', { mayBeEmpty: true }),
      { pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, refused: 'is not a variable name' },
      `All that the server gets beside PATH, HOME and the like. ${fromEnvironment}`,
    ),
    cwd: text('Where the server runs, relative to this file. Default: the folder of this file.'),
    pool: members(numerics(POOL_SETTINGS), 'How many workers are kept, and when one is replaced.'),
    era: choice(['auto', 'legacy', 'modern'], 'auto', 'Which protocol the server speaks; auto tries it out.'),
    validateOutput: flag(false, 'Hold results against the outputSchema of their tool.'),
    principalMeta: flag(false, "Tell the server who calls: the principal's id in params._meta, never the credential."),
    tools: named(
      tool,
      { pattern: /^(\*|[A-Za-z0-9_.-]{1,128})$/, refused: 'is not the name of a tool' },
      'By name; * for the tools that are not named.',
    ),
    pinFile: text('Digests of the tools as they were approved (fleet pin writes it); a path relative to this file.'),
    breaker: members(numerics(BREAKER_SETTINGS), 'When calls of a failing tool are paused, each tool by itself.'),
  },
  'A stdio MCP server and how it is served.',
);

/** One server of the file, checked but with nothing put in yet. */
export type FileServer = Checked<typeof server>;

/** The JSON Schema (2020-12) of the config file. */
export function configFileJsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The config file of fleet',
    type: 'object',
    required: ['mcpServers'],
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      mcpServers: {
        type: 'object',
        propertyNames: { pattern: '^[a-z0-9-]{1,63}$', not: { enum: ['mcp', 'health', 'docs'] } },
        additionalProperties: server.schema,
      },
    },
  };
}

/** Checks a file's content; every mistake is added to `problems` with its key, `label` being the file's name. */
export function checkConfigFile(content: unknown, label: string, problems: Problems): ReadonlyMap<string, FileServer> {
  const servers = new Map<string, FileServer>();
  if (!isObject(content)) {
    problems.add(label, 'must be a JSON object with the member mcpServers');
    return servers;
  }
  for (const key of Object.keys(withoutForeignFileKeys(content, label, problems))) {
    if (key === 'mcpServers') continue;
    problems.add(`${label} ${key}`, `is not known here${didYouMean(key, ['mcpServers'])}; remove it`);
  }
  if (!isObject(content.mcpServers)) {
    problems.add(`${label} mcpServers`, 'must be an object with a member per server');
    return servers;
  }
  for (const [name, entry] of Object.entries(content.mcpServers)) {
    const where = `${label} mcpServers.${name}`;
    const refused = refusedBridgeName(name);
    if (refused !== undefined) problems.add(where, refused);
    else if (!isObject(entry)) problems.add(where, 'must be an object with command and args');
    else {
      const ours = withoutForeignServerKeys(entry, where, problems);
      const checked = ours && server.check(ours, where, problems);
      if (checked !== undefined) servers.set(name, checked);
    }
  }
  return servers;
}

function numerics<K extends string>(settings: Readonly<Record<K, NumberSetting>>): Record<K, Shape<number>> {
  const shapes = Object.entries<NumberSetting>(settings).map(([name, setting]) => [name, numeric(setting)]);
  return Object.fromEntries(shapes) as Record<K, Shape<number>>;
}
