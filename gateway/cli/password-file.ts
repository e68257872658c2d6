/** A password as people give it to a command: in a file, so that no list of processes shows it. */
import { readText } from '../config/config-file.js';
import { OperatorError } from '../config/operator-error.js';

/** The one line of `file`, without its end. @throws OperatorError usage */
export function readPassword(file: string): string {
  const password = readText(file).replace(/\r?\n$/, '');
  if (password !== '' && !/[\r\n]/.test(password)) return password;
  throw new OperatorError('usage', `${file} must hold the password, on one line.`);
}
