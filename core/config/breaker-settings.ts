import type { NumberSetting } from '#core/config/number-setting.ts';
import type { BreakerSettings } from '#core/manifest.ts';

/** Ranges and defaults of a breaker's numbers. */
export const BREAKER_SETTINGS = {
  errorPercent: { default: 50, least: 1, most: 100, whole: true, help: 'Share of failed calls that opens it.' },
  minCalls: { default: 20, least: 1, most: 1_000_000, whole: true, help: 'Calls in the window before it may open.' },
  windowMs: { default: 10_000, least: 100, most: 3_600_000, whole: true, help: 'The window that is looked at.' },
  openMs: { default: 10_000, least: 100, most: 3_600_000, whole: true, help: 'How long it stays open at first.' },
  probes: { default: 3, least: 1, most: 1000, whole: true, help: 'Good probes that close it.' },
} as const satisfies Record<keyof BreakerSettings, NumberSetting>;

/** A breaker's settings with what was not said filled in. */
export function fullBreaker(
  said: { readonly [K in keyof BreakerSettings]?: number | undefined } = {},
): BreakerSettings {
  return {
    errorPercent: said.errorPercent ?? BREAKER_SETTINGS.errorPercent.default,
    minCalls: said.minCalls ?? BREAKER_SETTINGS.minCalls.default,
    windowMs: said.windowMs ?? BREAKER_SETTINGS.windowMs.default,
    openMs: said.openMs ?? BREAKER_SETTINGS.openMs.default,
    probes: said.probes ?? BREAKER_SETTINGS.probes.default,
  };
}
