import type { Writable } from 'node:stream';
import { pino } from 'pino';
import type { RequestEnd } from '#core/request-end.ts';
import { accessLine } from '#core/telemetry/access-log.ts';
import { boundedFields, boundedMessage, escapeUnprintable } from '#core/telemetry/bounded.ts';
import { type LineLosses, LineOutput } from '#core/telemetry/line-output.ts';
import { prettyLine } from '#core/telemetry/pretty.ts';

/** What happened, beside the sentence that says it. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line per event. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What a log may be told to write at least. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The process's log and what the end of the process needs of it. */
export interface ProcessLog extends Log {
  /** Lines below it are not written. */
  level: LogLevel;
  /** The line of a call that has its answer, level `info`; cheap, and written with others of the same moment. */
  call(end: RequestEnd): void;
  /** Lines that could not be written. */
  readonly losses: LineLosses;
  /** Settles when every line has been handed over, or after `budgetMs`. Never rejects. */
  flush(budgetMs: number): Promise<void>;
}

export interface LogOptions {
  /** Standard output, or a stand-in of a test. */
  readonly output: Writable;
  /** Lines below it are not written. */
  readonly level: LogLevel;
  /** Takes secrets out of a text; runs over every text of a line before it is cut. */
  readonly redact?: (text: string) => string;
  /** Lines for a person instead of JSON. */
  readonly pretty?: boolean | undefined;
  readonly colours?: boolean | undefined;
}

/**
 * A log of JSON lines `{"level","time","msg",…}`: one line per event, at most 16 KiB each, control characters escaped,
 * secrets out. A stream that breaks (its reader gone, its disk full) is counted and does not stop the service.
 */
export function createLog({ output, level, redact = same, pretty = false, colours = false }: LogOptions): ProcessLog {
  const finish = (batch: string): string => {
    const shown = redact(batch);
    return pretty
      ? shown
          .trimEnd()
          .split('\n')
          .map((line) => prettyLine(line, colours))
          .join('')
      : shown;
  };
  const lines = new LineOutput(output, finish);
  const write = (json: string): void => {
    const line = escapeUnprintable(json);
    lines.write(pretty ? prettyLine(line, colours) : line);
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${timeText()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void => {
      if (!logger.isLevelEnabled(name)) return;
      // As a member and not as pino's own argument, where `%` would start a placeholder.
      logger[name]({ msg: boundedMessage(message, redact), ...boundedFields(fields, redact) });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    get level() {
      return logger.level as LogLevel;
    },
    set level(next) {
      logger.level = next;
    },
    call: (end) => {
      if (logger.isLevelEnabled('info')) lines.writeSoon(accessLine(end, timeText()));
    },
    get losses() {
      return lines.losses;
    },
    flush: (budgetMs) => lines.flush(budgetMs),
  };
}

let lastMs = Number.NaN;
let lastText = '';

/** The time as lines tell it (ISO 8601, UTC): one text for all lines of a millisecond. */
function timeText(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastText = new Date(now).toISOString();
  }
  return lastText;
}

function same(text: string): string {
  return text;
}
