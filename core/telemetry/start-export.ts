import { type ContextManager, DiagLogLevel, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { OtlpProtocol, TelemetrySettings } from '#core/config/telemetry-settings.ts';
import type { AttributeValue, SpanOrigin } from '#core/telemetry/ended-span.ts';
import { MetricOutlet } from '#core/telemetry/metric-outlet.ts';
import { OtlpSpanBytes } from '#core/telemetry/otlp-span-bytes.ts';
import { OtlpSpanJson } from '#core/telemetry/otlp-span-json.ts';
import { type Exporting, NOTHING_DROPPED } from '#core/telemetry/registered.ts';
import { samplerOf } from '#core/telemetry/sampler.ts';
import { spanExporter } from '#core/telemetry/span-exporter.ts';
import { SpanOutlet } from '#core/telemetry/span-outlet.ts';
import { watchRequests } from '#core/telemetry/tracing.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** The API's own stand-in while no manager is set: it knows the root context only, and costs nothing. */
const NO_CONTEXT_MANAGER: ContextManager = {
  active: () => ROOT_CONTEXT,
  with: (_context, run, self, ...args) => run.call(self as never, ...args),
  bind: (_context, target) => target,
  enable: () => NO_CONTEXT_MANAGER,
  disable: () => NO_CONTEXT_MANAGER,
};
const SERVICE_NAME = 'mcp-bridge-fleet';
/** A collector that is away fails every few seconds; who reads the log has understood the first time. */
const MIN_TELL_MS = 60_000;

/**
 * Starts OpenTelemetry's SDK with nothing but what we hand it: no instrumentation, no context manager that would be asked for
 * the active span, no tracer; spans are ours and have the same resource, which comes from the environment as the SDK reads it.
 */
export async function startExport(settings: TelemetrySettings): Promise<Exporting> {
  const { traces, metrics } = settings;
  const resource = await resourceOfProcess();
  const spans = traces && (await spanOutlet(traces, resource, settings));
  const numbers = metrics && new MetricOutlet(await metricExporter(metrics), settings);
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    spanProcessors: [],
    metricReaders: numbers === undefined ? [] : [numbers.reader],
    logRecordProcessors: [],
    instrumentations: [],
    // Contexts travel with the call; one that follows every promise would be asked by nobody.
    contextManager: NO_CONTEXT_MANAGER,
  });
  const teller = new Teller();
  // After the constructor, which would have it write to the console.
  diag.setLogger(teller, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  sdk.start();
  const { baggageKeys } = settings;
  return {
    watch: spans && watchRequests({ sampler: samplerOf(settings.sampling), spans, baggageKeys }),
    dropped: {
      traces: spans?.dropped ?? NOTHING_DROPPED.traces,
      metrics: numbers?.dropped ?? NOTHING_DROPPED.metrics,
    },
    export: (families) => numbers?.export(families),
    tell: (warn) => {
      teller.warnings = warn;
    },
    close: async (budgetMs) => {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, budgetMs);
      // What fails here has been counted, and told to nobody who could still do something about it.
      await Promise.race([Promise.allSettled([spans?.shutdown(), sdk.shutdown()]), late]);
      clearTimeout(timer);
    },
  };
}

/** Takes what the SDK says of itself: on standard error until there is a log, and then into that, now and then. */
class Teller {
  warnings: Parameters<Exporting['tell']>[0] = (message, { detail }) => {
    process.stderr.write(`${message}: ${detail}\n`);
  };
  #toldMs = Number.NEGATIVE_INFINITY;
  #kept = 0;

  readonly error = (message: string, ...more: unknown[]): void => this.#tell(message, more);
  readonly warn = (message: string, ...more: unknown[]): void => this.#tell(message, more);
  readonly info = (): void => {};
  readonly debug = (): void => {};
  readonly verbose = (): void => {};

  #tell(message: string, more: readonly unknown[]): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < MIN_TELL_MS) {
      this.#kept++;
      return;
    }
    this.#toldMs = nowMs;
    const detail = [message, ...more].map((part) => (part instanceof Error ? part.message : String(part))).join(' ');
    this.warnings('telemetry could not be exported', { detail, untold: this.#kept });
    this.#kept = 0;
  }
}

async function resourceOfProcess(): Promise<Resource> {
  const own = resourceFromAttributes({ 'service.name': SERVICE_NAME, 'service.version': packageJson.version });
  // The last one wins: what the operator says.
  const resource = own.merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
  await resource.waitForAsyncAttributes?.();
  return resource;
}

async function spanOutlet(
  protocol: OtlpProtocol,
  resource: Resource,
  settings: TelemetrySettings,
): Promise<SpanOutlet> {
  const origin: SpanOrigin = {
    resource: Object.fromEntries(
      Object.entries(resource.attributes).map(([key, value]) => [key, attributeValue(value)]),
    ),
    scope: { name: SERVICE_NAME, version: packageJson.version },
  };
  const encoder = protocol === 'http/json' ? new OtlpSpanJson(origin) : new OtlpSpanBytes(origin);
  return new SpanOutlet(await spanExporter(protocol), encoder, settings.spans);
}

/** Of a list, which none of these detectors finds, its text. */
function attributeValue(value: unknown): AttributeValue {
  return typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
}

async function metricExporter(protocol: OtlpProtocol): Promise<PushMetricExporter> {
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}
