/** What a room says to the operator: structured lines, never a password, a token or file contents. */
export interface Log {
  /** For whoever hunts a fault. */
  debug(event: string, fields?: LogFields): void;
  /** What happened, one line per close, connection, resolution. */
  info(event: string, fields?: LogFields): void;
  /** Something went wrong and was survived. */
  warn(event: string, fields?: LogFields): void;
  /** Something needs a person. */
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
