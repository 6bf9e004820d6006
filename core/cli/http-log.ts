import type { ProblemReport } from '#core/http/edge.ts';
import type { ConnectionEvent } from '#core/http/server.ts';
import type { Log } from '#core/telemetry/log.ts';

/** Logs answers of 500 and above; only an error of ours is loud, for the others the caller was told the truth. */
export function logProblem(log: Log): (report: ProblemReport) => void {
  return ({ error, ...report }) => {
    if (report.code === 'internal') log.error('a call failed by an error of ours', { ...report, error });
    else log.info('a call was answered with a problem', report);
  };
}

/** Logs what happens to connections. */
export function logConnection(log: Log, port: string): (event: ConnectionEvent) => void {
  return (event) => {
    // A port that could not be opened has been told already, to the person who started the process.
    if (event.type === 'accept_error' && 'syscall' in event.error && event.error.syscall === 'listen') return;
    const { type, ...fields } = event;
    log[type === 'accept_error' || type === 'dropped' ? 'warn' : 'debug'](`connection: ${type}`, { port, ...fields });
  };
}
