import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import { type ISerializer, JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { OtlpProtocol } from '#core/config/telemetry-settings.ts';
import type { SpanBatch, SpanExporter } from '#core/telemetry/span-outlet.ts';

/** As the library's own exporters call themselves and count. */
const HTTP_EXPORTER = 'otlp_http_span_exporter';
const GRPC_EXPORTER = 'otlp_grpc_span_exporter';
const COUNTED = { name: 'span', countItems: ({ count }: SpanBatch) => count } as const;

/**
 * The way to the collector is the library's own, with everything that the standard variables say of it: address, headers,
 * certificates, compression, timeout, repetitions. Only the request is ours.
 */
export async function spanExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  switch (protocol) {
    case 'grpc': {
      const { convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate } = await import(
        '@opentelemetry/otlp-grpc-exporter-base'
      );
      return createOtlpGrpcExportDelegate(
        convertLegacyOtlpGrpcOptions({}, 'TRACES'),
        encoded(ProtobufTraceSerializer),
        GRPC_EXPORTER,
        COUNTED,
        undefined,
        'TraceExportService',
        '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      );
    }
    case 'http/json':
      return overHttp('application/json', encoded(JsonTraceSerializer));
    case 'http/protobuf':
      return overHttp('application/x-protobuf', encoded(ProtobufTraceSerializer));
  }
}

function overHttp<Answer>(contentType: string, serializer: ISerializer<SpanBatch, Answer>): SpanExporter {
  const options = convertLegacyHttpOptions({}, 'TRACES', 'v1/traces', { 'Content-Type': contentType });
  return createOtlpHttpExportDelegate(options, serializer, HTTP_EXPORTER, COUNTED, undefined);
}

/** The batch is encoded already; what the collector answers is read by the library. */
function encoded<Answer>(
  library: Pick<ISerializer<never, Answer>, 'deserializeResponse'>,
): ISerializer<SpanBatch, Answer> {
  return {
    serializeRequest: ({ request }) => request,
    deserializeResponse: (data) => library.deserializeResponse(data),
  };
}
