/** What the exit codes of `coda` mean. Scripts rely on them. */
import { CommanderError } from 'commander';
import { isFailure } from '../../vice/interface/index.js';
import { messageOf, OperatorError } from '../config/operator-error.js';

export const exitCodes = {
  ok: 0,
  /** A fault of ours, or one that nobody has foreseen. */
  unexpected: 1,
  /** `coda scrub`: something is wrong that could not be healed. */
  unhealed: 1,
  /** Wrong command line or configuration file. */
  usage: 2,
  /** Nothing is running there, or it does not answer. */
  unreachable: 3,
  /** The realm, the folder or the machine forbids it: in use, newer version, no such server ... */
  refused: 4,
} as const;

export const exitCodesHelp = `
Exit codes:
  0  done
  1  an unexpected fault; of coda scrub: something could not be healed
  2  wrong command line or configuration file
  3  nothing is running there, or it does not answer
  4  refused: port or folder in use, folder of a newer version, no such server or user ...`;

export interface Ending {
  readonly code: number;
  readonly kind: keyof typeof exitCodes;
  readonly message: string;
}

/** How the command ends after `error`. */
export function endingOf(error: unknown): Ending {
  if (error instanceof OperatorError) return ending(error.kind, error.message);
  if (error instanceof CommanderError) {
    // Commander has printed its message itself; --help and --version also arrive here, with code 0.
    return ending(error.exitCode === 0 ? 'ok' : 'usage', '');
  }
  if (isFailure(error, 'unreachable')) return ending('unreachable', error.message);
  if (isFailure(error)) return ending('refused', error.message);
  return ending('unexpected', `${messageOf(error)} (this should not happen; --debug shows where)`);
}

function ending(kind: keyof typeof exitCodes, message: string): Ending {
  return { code: exitCodes[kind], kind, message };
}
