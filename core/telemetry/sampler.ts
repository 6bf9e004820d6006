import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { TraceContext } from '#core/call.ts';
import type { TelemetrySettings } from '#core/config/telemetry-settings.ts';

/** Where the last digit of `trace-flags` stands in a traceparent, whatever its version. */
const FLAGS_AT = 54;
/** The hex digits whose lowest bit, `sampled`, is set. */
const SAMPLED = '13579bdf';

/** Whether a trace is recorded and exported; asked once, when the trace comes to this process. */
export type Sampler = (traceId: string, given: TraceContext | undefined) => boolean;

/**
 * Decides as the standard says: a caller's word counts where it is `parentBased`; else, and for new traces, the ratio of
 * trace ids, by the SDK's own arithmetic, so that every service decides the same of a trace.
 */
export function samplerOf({ parentBased, ratio }: TelemetrySettings['sampling']): Sampler {
  const byId = new TraceIdRatioBasedSampler(ratio);
  return (traceId, given) => {
    if (parentBased && given !== undefined) return SAMPLED.includes(given.traceparent.charAt(FLAGS_AT));
    return byId.shouldSample(undefined, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}
