/** Whether a person means it, before something is given up that nothing brings back. */
import { createInterface } from 'node:readline/promises';
import { OperatorError } from '../config/operator-error.js';
import type { CommonOptions } from './output.js';

export interface ConfirmationOptions extends CommonOptions {
  readonly yes?: boolean;
}

/** To be called before anything is done. @throws OperatorError usage (there is nobody to answer) */
export function mustBeAskable({ yes, json }: ConfirmationOptions): void {
  if (yes === true || (json !== true && process.stdin.isTTY)) return;
  throw new OperatorError('usage', 'Nobody can be asked here. Give --yes if you mean it.');
}

export async function isMeant(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} (yes/no) `)).trim());
  } finally {
    terminal.close();
  }
}
