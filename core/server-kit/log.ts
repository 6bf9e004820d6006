/** Members of a log line beside level and message. Never a secret, never a caller's argument value. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes JSON lines to stderr: stdout belongs to the protocol. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** The same log with further members on each line. */
export function withFields(log: Log, fields: LogFields): Log {
  return {
    info: (message, more) => log.info(message, { ...fields, ...more }),
    warn: (message, more) => log.warn(message, { ...fields, ...more }),
    error: (message, more) => log.error(message, { ...fields, ...more }),
  };
}

/** A log whose lines all carry `base`. */
export function createLog(base: LogFields, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const at =
    (level: string) =>
    (msg: string, fields: LogFields = {}): void =>
      write(`${JSON.stringify({ level, msg, ...base, ...fields })}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
