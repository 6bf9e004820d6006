import type { AuditRow } from '#core/store/audit-store.ts';

/** A row as the audit policy makes it, with what a test wants different. */
export function auditRow(overrides: Partial<AuditRow> = {}): AuditRow {
  return {
    at: new Date('2026-11-20T12:00:00.123Z'),
    requestId: 'request',
    traceId: undefined,
    principal: 'planner',
    bridge: 'slack',
    tool: 'post',
    effect: 'write',
    attempts: 1,
    outcome: 'ok',
    executed: 'yes',
    durationMs: 12.5,
    argumentsSha256: 'a'.repeat(64),
    replayed: false,
    ...overrides,
  };
}
