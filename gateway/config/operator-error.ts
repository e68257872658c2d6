/**
 * What the person at the command line must put right: wrong options or configuration, nothing running, or a
 * state that forbids what was asked. The message says what is wrong and what to do; no stack trace is
 * shown.
 */
export type OperatorErrorKind =
  | 'usage' // wrong command line or configuration
  | 'unreachable' // nothing runs there, or it does not answer
  | 'refused' // the state of the realm, the folder or the machine forbids it
  | 'unhealed'; // `coda scrub`: something is damaged, and no good copy was found

export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly kind: OperatorErrorKind;

  constructor(kind: OperatorErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The `code` of a Node error such as ENOENT, if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of whatever was thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
