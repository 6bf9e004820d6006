import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { TraceContext } from '#core/call.ts';
import type { TelemetrySettings } from '#core/config/telemetry-settings.ts';

/** Where the last digit of `trace-flags` stands in a traceparent, whatever its version. */
const FLAGS_AT = 54;
/** The hex digits whose lowest bit, `sampled`, is set. */
const SAMPLED = '13579bdf';

/** Of what the SDK compares a trace's weight with: as much as fits into it. */
const MAX_WEIGHT = 0xffff_ffff;

/** Whether a trace is recorded and exported; asked once, when the trace comes to this process. */
export interface Sampler {
  /** One that begins here, by the weight of its id. */
  begins(weight: number): boolean;
  /** One that a caller has begun. */
  goesOn(given: TraceContext, traceId: string): boolean;
}

/**
 * Decides as the standard says: a caller's word counts where it is `parentBased`; else, and for new traces, the ratio of
 * trace ids, by the SDK's arithmetic, so that every service decides the same of a trace.
 */
export function samplerOf({ parentBased, ratio }: TelemetrySettings['sampling']): Sampler {
  const bound = ratio === 1 ? MAX_WEIGHT + 1 : Math.floor(ratio * MAX_WEIGHT);
  const byId = new TraceIdRatioBasedSampler(ratio);
  return {
    begins: (weight) => weight < bound,
    goesOn: (given, traceId) =>
      parentBased
        ? SAMPLED.includes(given.traceparent.charAt(FLAGS_AT))
        : byId.shouldSample(undefined, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
  };
}
