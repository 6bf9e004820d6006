import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { Environment } from '#core/config/environment.ts';
import { telemetrySettings } from '#core/config/telemetry-settings.ts';
import { samplerOf } from '#core/telemetry/sampler.ts';
import { newTrace } from '#core/telemetry/trace-ids.ts';

const LOW = `${'0'.repeat(31)}1`;
const HIGH = `${'0'.repeat(24)}ffffffff`;
const given = (traceId: string, flags: string, more = '') => ({
  traceparent: `00-${traceId}-b7ad6b7169203331-${flags}${more}`,
});

function samplerFor(name: string | undefined, arg?: string) {
  const { settings, problems } = telemetrySettings(
    new Environment({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c',
      OTEL_TRACES_SAMPLER: name,
      OTEL_TRACES_SAMPLER_ARG: arg,
    } as Record<string, string>),
  );
  if (settings === undefined) throw new Error('nothing is exported');
  return { sampler: samplerOf(settings.sampling), problems };
}

/** Decisions of a new trace with a low and with a high id, then of one with a high id sampled by its caller, then of a low one not. */
test.each([
  [undefined, undefined, [true, true, true, false]],
  ['parentbased_always_on', undefined, [true, true, true, false]],
  ['parentbased_always_off', undefined, [false, false, true, false]],
  ['parentbased_traceidratio', '0.5', [true, false, true, false]],
  ['parentbased_traceidratio', '0', [false, false, true, false]],
  ['always_on', '0.5', [true, true, true, true]],
  ['always_off', undefined, [false, false, false, false]],
  ['traceidratio', '0.5', [true, false, false, true]],
  ['traceidratio', '1', [true, true, true, true]],
] as const)('OTEL_TRACES_SAMPLER %s with %s decides as the standard says', (name, arg, wanted) => {
  const { sampler, problems } = samplerFor(name, arg);
  expect(problems).toEqual([]);
  expect([
    sampler.begins(0x0000_0001),
    sampler.begins(0xffff_ffff),
    sampler.goesOn(given(HIGH, '01'), HIGH),
    sampler.goesOn(given(LOW, '00'), LOW),
  ]).toEqual(wanted);
});

test("the caller's word is the lowest bit of its flags, whatever the others are and whatever follows", () => {
  const { sampler } = samplerFor('parentbased_always_off');
  const sampled = Array.from({ length: 256 }, (_, flags) => flags.toString(16).padStart(2, '0')).filter((flags) =>
    sampler.goesOn(given(LOW, flags, '-more'), LOW),
  );
  expect(sampled).toHaveLength(128);
  expect(sampled.every((flags) => Number.parseInt(flags, 16) % 2 === 1)).toBe(true);
});

test.each([0, 1e-9, 0.1, 0.5, 0.999, 1])("%d decides of every new trace as the SDK's own sampler does", (ratio) => {
  const { sampler } = samplerFor('parentbased_traceidratio', `${ratio}`);
  const theirs = new TraceIdRatioBasedSampler(ratio);
  const traces = Array.from({ length: 5_000 }, newTrace);
  const sampled = traces.filter(({ weight }) => sampler.begins(weight));
  expect(sampled).toEqual(traces.filter(({ id }) => theirs.shouldSample(undefined, id).decision === 2));
  expect(sampled.length).toBeGreaterThanOrEqual(Math.floor(ratio * 5_000) - 200);
  expect(sampled.length).toBeLessThanOrEqual(Math.ceil(ratio * 5_000) + 200);
});
