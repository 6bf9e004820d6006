import type { Environment } from '#core/config/environment.ts';
import { expectation, type NumberSetting, parseNumber } from '#core/config/number-setting.ts';
import type { Problems } from '#core/config/problems.ts';
import type { PoolSettings } from '#core/manifest.ts';
import { nearNames } from '#core/near-names.ts';

/** The longest a timer of Node can run, in ms; 24.8 days. */
const maxTimerMs = 2 ** 31 - 1;

/** Every pool setting with its variable, default and range; the config file's schema is made from it too. */
export const POOL_SETTINGS = {
  min: {
    variable: 'POOL_MIN',
    default: 1,
    least: 0,
    most: 256,
    whole: true,
    help: 'Workers kept ready; 0 rests at none.',
  },
  max: { variable: 'POOL_MAX', default: 4, least: 1, most: 256, whole: true, help: 'Most workers at a time.' },
  concurrency: {
    variable: 'POOL_CONCURRENCY',
    default: 16,
    least: 1,
    most: 4096,
    whole: true,
    help: 'Calls in flight per worker.',
  },
  queueMax: {
    variable: 'POOL_QUEUE_MAX',
    default: 256,
    least: 0,
    most: 1_000_000,
    whole: true,
    help: 'Calls that may wait for a worker.',
  },
  idleMs: {
    variable: 'POOL_IDLE_MS',
    default: 300_000,
    least: 10,
    most: maxTimerMs,
    whole: true,
    help: 'A worker above min without a call for this long is stopped.',
  },
  maxAgeMs: {
    variable: 'POOL_MAX_AGE_MS',
    default: 3_600_000,
    least: 100,
    most: maxTimerMs,
    whole: true,
    help: 'Age at which a worker is replaced.',
  },
  maxUses: {
    variable: 'POOL_MAX_USES',
    default: 100_000,
    least: 1,
    most: Number.MAX_SAFE_INTEGER,
    whole: true,
    help: 'Calls after which a worker is replaced.',
  },
  minLifeMs: {
    variable: 'POOL_MIN_LIFE_MS',
    default: 60_000,
    least: 0,
    most: maxTimerMs,
    whole: true,
    help: 'Age below which a worker is not replaced for its calls.',
  },
  maxRssMb: {
    variable: 'POOL_MAX_RSS_MB',
    default: 512,
    least: 1,
    most: 1_048_576,
    whole: true,
    help: 'Resident memory in MiB at which a worker is replaced.',
  },
  startDeadlineMs: {
    variable: 'POOL_START_DEADLINE_MS',
    default: 15_000,
    least: 10,
    most: 600_000,
    whole: true,
    help: "From a worker's start to its first list of tools.",
  },
  maxLineBytes: {
    variable: 'POOL_MAX_LINE_BYTES',
    default: 8_388_608,
    least: 1024,
    most: 268_435_456,
    whole: true,
    help: 'Longest line, and so the largest result, a worker may write.',
  },
  maxShareOfTool: {
    variable: 'POOL_MAX_SHARE_OF_TOOL',
    default: 0.75,
    least: 0,
    most: 1,
    whole: false,
    help: 'Share of all slots, and of the queue, that one tool may hold.',
  },
} as const satisfies Record<keyof PoolSettings, NumberSetting & { readonly variable: string }>;

const keys = Object.keys(POOL_SETTINGS) as (keyof PoolSettings)[];

/** Some pool settings and where they were said, for messages. */
export interface PoolLayer {
  readonly values: { readonly [K in keyof PoolSettings]?: number | undefined };
  readonly where: (key: keyof PoolSettings) => string;
}

/** The `POOL_*` variables; a name that is not one of them is warned about, since it was meant to be one. */
export function poolFromEnvironment(environment: Environment, problems: Problems): PoolLayer {
  const values: { -readonly [K in keyof PoolSettings]?: number } = {};
  for (const key of keys) {
    const setting = POOL_SETTINGS[key];
    const text = environment.get(setting.variable);
    if (text === undefined) continue;
    const value = parseNumber(setting, text);
    if (value === undefined) problems.add(setting.variable, expectation(setting));
    else values[key] = value;
  }
  const variables = keys.map((key): string => POOL_SETTINGS[key].variable);
  for (const name of Object.keys(environment.all)) {
    if (!name.startsWith('POOL_') || variables.includes(name)) continue;
    const [near] = nearNames(name, variables);
    if (near !== undefined) problems.warn(name, `is not a setting and has no effect; did you mean ${near}?`);
  }
  return { values, where: (key) => POOL_SETTINGS[key].variable };
}

/** The settings in force: each from the first layer that says it, else the default. `bridge` is for messages. */
export function mergePool(bridge: string, layers: readonly PoolLayer[], problems: Problems): PoolSettings {
  const said = (key: keyof PoolSettings): PoolLayer | undefined =>
    layers.find((layer) => layer.values[key] !== undefined);
  const pool = Object.fromEntries(
    keys.map((key) => [key, said(key)?.values[key] ?? POOL_SETTINGS[key].default]),
  ) as unknown as PoolSettings;
  if (pool.min > pool.max) {
    const from = said('min');
    const to = said('max');
    const where = from?.where('min') ?? to?.where('max') ?? bridge;
    const max = to === undefined ? `the default of max` : to.where('max');
    problems.add(
      where,
      `min ${pool.min} is above max ${pool.max} (${max}) for bridge ${bridge}; raise max or lower min`,
    );
  }
  return pool;
}
