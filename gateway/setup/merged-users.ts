/** Users of several gateways as users of one realm. Pure. */
import type { UserVerifier } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';

export interface UsersOf {
  readonly file: string;
  readonly users: readonly UserVerifier[];
}

/**
 * Each once, by name. `first`: the file whose password counts where several have the name.
 * @throws OperatorError usage (`first` is none of them), refused (nobody; a name with several passwords)
 */
export function mergedUsers(files: readonly UsersOf[], first?: string): readonly UserVerifier[] {
  const leading = first === undefined ? undefined : files.find(({ file }) => file === first);
  if (first !== undefined && leading === undefined) {
    throw new OperatorError('usage', `${first} is none of the files that are given with --from.`);
  }
  const byName = new Map(leading?.users.map((user) => [user.name, user]));
  const settled = new Set(byName.keys());
  const differing = new Set<string>();
  for (const { users } of files) {
    for (const user of users) {
      const known = byName.get(user.name);
      if (known === undefined) byName.set(user.name, user);
      else if (known.verifier !== user.verifier && !settled.has(user.name)) differing.add(user.name);
    }
  }
  if (differing.size > 0) throw conflicting([...differing], files);
  if (byName.size === 0) throw new OperatorError('refused', 'There is no user in these files.');
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function conflicting(names: string[], files: readonly UsersOf[]): OperatorError {
  const lines = names.sort().map((name) => {
    const having = files
      .filter(({ users }) => users.some((user) => user.name === name))
      .map(({ file }) => file);
    return `  - ${name}: ${having.join(', ')}`;
  });
  const what = 'These names have different passwords, and may be different people:';
  const how =
    'Name the file whose passwords count with --first FILE, if they are the same people; else remove one of the two ' +
    'from its file (coda user remove NAME --users FILE), and add him afterwards under another name.';
  return new OperatorError('refused', `${what}\n${lines.join('\n')}\n${how}`);
}
