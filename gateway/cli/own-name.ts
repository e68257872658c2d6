/** Who types a command, as the system knows them. */
import { userInfo } from 'node:os';

export function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'coda';
  }
}
