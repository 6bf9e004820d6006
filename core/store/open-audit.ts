import { AuditBuffer, type AuditBufferOptions } from '#core/store/audit-buffer.ts';

/**
 * The audit in the database that `url` names: rows may be recorded at once, and wait where the database is away. A
 * process without an audit never loads what this loads.
 */
export async function openAudit(url: string, options: AuditBufferOptions = {}): Promise<AuditBuffer> {
  const { PostgresAuditWriter } = await import('#core/store/postgres-audit-writer.ts');
  const buffer = new AuditBuffer(new PostgresAuditWriter({ url }), options);
  buffer.start();
  return buffer;
}
