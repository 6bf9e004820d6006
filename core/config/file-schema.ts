/** The config file's shape; the only module of the configuration that costs zod, so import it lazily. */
import { z } from 'zod';
import { refusedBridgeName } from '#core/config/bridge-name.ts';
import { isObject, withoutForeignFileKeys, withoutForeignServerKeys } from '#core/config/foreign-keys.ts';
import { nearest } from '#core/config/near.ts';
import { expectation, type NumberSetting } from '#core/config/number-setting.ts';
import { POOL_SETTINGS } from '#core/config/pool-settings.ts';
import type { Problems } from '#core/config/problems.ts';
import { TOOL_NUMBERS } from '#core/config/tool-policy.ts';
import type { PoolSettings } from '#core/manifest.ts';

const pool = z
  .strictObject({
    min: number(POOL_SETTINGS.min),
    max: number(POOL_SETTINGS.max),
    concurrency: number(POOL_SETTINGS.concurrency),
    queueMax: number(POOL_SETTINGS.queueMax),
    idleMs: number(POOL_SETTINGS.idleMs),
    maxAgeMs: number(POOL_SETTINGS.maxAgeMs),
    maxUses: number(POOL_SETTINGS.maxUses),
    maxRssMb: number(POOL_SETTINGS.maxRssMb),
    startDeadlineMs: number(POOL_SETTINGS.startDeadlineMs),
    maxLineBytes: number(POOL_SETTINGS.maxLineBytes),
    maxShareOfTool: number(POOL_SETTINGS.maxShareOfTool),
  } satisfies Record<keyof PoolSettings, z.ZodType>)
  .describe('How many workers are kept, and when one is replaced.');

const tool = z.strictObject({
  effect: z
    .enum(['read', 'idempotent', 'write'])
    .optional()
    .describe('What repeating the tool does; a tool that nobody classified is write. Default write.'),
  deadlineMs: number(TOOL_NUMBERS.deadlineMs),
  cacheTtlMs: number(TOOL_NUMBERS.cacheTtlMs),
  idempotencyKey: z.enum(['never', 'optional', 'required']).optional().describe('Default optional.'),
});

const breaker = z
  .strictObject({
    errorPercent: number({ default: 50, least: 1, most: 100, whole: true, help: 'Share of failures that opens it.' }),
    minCalls: number({
      default: 20,
      least: 1,
      most: 1_000_000,
      whole: true,
      help: 'Calls in the window before it may open.',
    }),
    windowMs: number({
      default: 10_000,
      least: 100,
      most: 3_600_000,
      whole: true,
      help: 'The window that is looked at.',
    }),
    openMs: number({
      default: 10_000,
      least: 100,
      most: 3_600_000,
      whole: true,
      help: 'How long it stays open first.',
    }),
    probes: number({ default: 3, least: 1, most: 1000, whole: true, help: 'Good probes that close it.' }),
  })
  .describe('Not yet in force.');

// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how the operator writes it.
const FROM_ENVIRONMENT = '${NAME} and ${NAME:-default} are taken from the environment.';
const noNul = /^[^\0]*$/;
const text = z.string().regex(noNul, 'must not contain a NUL character');

const server = z.strictObject({
  command: text
    .min(1, 'must not be empty')
    .optional()
    .describe('The program; required unless a bridge that comes with the service has this name.'),
  args: z.array(text).max(1000).optional().describe(FROM_ENVIRONMENT),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a variable name'), text)
    .optional()
    .describe(`All the server gets beside PATH, HOME and the like. ${FROM_ENVIRONMENT}`),
  cwd: text.min(1, 'must not be empty').optional().describe('Relative to this file. Default: the folder of this file.'),
  pool: pool.optional(),
  era: z
    .enum(['auto', 'legacy', 'modern'])
    .optional()
    .describe('Which protocol the server speaks; auto tries it out. Default auto.'),
  validateOutput: z
    .boolean()
    .optional()
    .describe('Hold results against the outputSchema of their tool. Default false.'),
  tools: z
    .record(z.string().regex(/^(\*|[A-Za-z0-9_.-]{1,128})$/, 'is not the name of a tool'), tool)
    .optional()
    .describe('By tool name; * for the others.'),
  pinFile: text
    .min(1, 'must not be empty')
    .optional()
    .describe('Not yet in force: a configuration that sets it is refused.'),
  breaker: breaker.optional(),
});

/** One server of the file, checked but not yet expanded. */
export type FileServer = z.infer<typeof server>;

const file = z.strictObject({
  $schema: z.string().optional(),
  mcpServers: z.record(z.string().regex(/^[a-z0-9-]{1,63}$/), server),
});

/** The JSON Schema (2020-12) of the config file. */
export function configFileJsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(file, { io: 'input' });
}

/** Checks a file's content; every mistake is added to `problems` with its key, `label` being the file's name. */
export function checkConfigFile(content: unknown, label: string, problems: Problems): ReadonlyMap<string, FileServer> {
  const servers = new Map<string, FileServer>();
  if (!isObject(content)) {
    problems.add(label, 'must be a JSON object with the member mcpServers');
    return servers;
  }
  for (const key of Object.keys(withoutForeignFileKeys(content, label, problems))) {
    if (key !== 'mcpServers')
      problems.add(`${label} ${key}`, `is not known here${didYouMean(key, ['mcpServers'])}; remove it`);
  }
  if (!isObject(content.mcpServers)) {
    problems.add(`${label} mcpServers`, 'must be an object with a member per server');
    return servers;
  }
  for (const [name, entry] of Object.entries(content.mcpServers)) {
    const where = `${label} mcpServers.${name}`;
    const refused = refusedBridgeName(name);
    if (refused !== undefined) {
      problems.add(where, refused);
      continue;
    }
    if (!isObject(entry)) {
      problems.add(where, 'must be an object with command and args');
      continue;
    }
    const ours = withoutForeignServerKeys(entry, where, problems);
    if (ours === undefined) continue;
    const parsed = server.safeParse(ours);
    if (parsed.success) servers.set(name, parsed.data);
    else for (const issue of parsed.error.issues) addIssue(issue, where, problems);
  }
  return servers;
}

function number(setting: NumberSetting) {
  const base = setting.whole ? z.int() : z.number();
  const bounded = setting.whole ? base.min(setting.least) : base.gt(setting.least);
  return bounded
    .max(setting.most)
    .optional()
    .describe(`${setting.help} Default ${setting.default}.`)
    .meta({ default: setting.default });
}

/** One issue of zod as problems of ours: told by key, without the value that was there. */
function addIssue(issue: z.core.$ZodIssue, server: string, problems: Problems): void {
  const where = [server, ...issue.path.map(String)].join('.');
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(issue.path);
      for (const key of issue.keys) problems.add(`${where}.${key}`, `is not known${didYouMean(key, known)}; remove it`);
      return;
    }
    case 'invalid_key':
      for (const inner of issue.issues) problems.add(where, inner.message);
      return;
    case 'invalid_value':
      problems.add(where, `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`);
      return;
    default: {
      const setting = numberAt(issue.path);
      if (setting !== undefined) problems.add(where, expectation(setting));
      else if (issue.code === 'invalid_type') problems.add(where, `must be ${articled(issue.expected)}`);
      else problems.add(where, issue.message);
    }
  }
}

function articled(type: string): string {
  const names: Readonly<Record<string, string>> = {
    array: 'a list',
    record: 'an object',
    object: 'an object',
    boolean: 'true or false',
  };
  return names[type] ?? `a ${type}`;
}

function didYouMean(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(server.shape);
  if (path[0] === 'pool') return Object.keys(pool.shape);
  if (path[0] === 'breaker') return Object.keys(breaker.shape);
  return Object.keys(tool.shape);
}

function numberAt(path: readonly PropertyKey[]): NumberSetting | undefined {
  const key = String(path.at(-1));
  const table: Readonly<Record<string, NumberSetting>> =
    path[0] === 'pool' ? POOL_SETTINGS : path[0] === 'tools' ? TOOL_NUMBERS : {};
  return path.length > 1 && Object.hasOwn(table, key) ? table[key] : undefined;
}
