/** The first user of an embedded realm: made at the first start, kept, printed at every start. */
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { openUsers } from '../access/users.js';
import { OperatorError } from '../config/operator-error.js';
import { newPassword, realmPaths, writeLogin, type EmbeddedRealm, type Login } from './realm-folder.js';

export interface LoginWishes {
  /** Undefined: the one that was made at the first start. */
  readonly user: string | undefined;
  /** The user of a new realm when none is wished. */
  readonly newUser: string;
  /** Undefined: the one that is kept, or a new one. */
  readonly password: string | undefined;
}

/** The login that `coda up` prints; after this the users have it. @throws OperatorError, Failure invalid */
export async function prepareLogin(realm: EmbeddedRealm, wishes: LoginWishes): Promise<Login> {
  const user = wishes.user ?? realm.login?.user ?? wishes.newUser;
  const kept = realm.login?.user === user ? realm.login.password : undefined;
  const users = await openUsers(realmPaths(realm.folder).users, scryptPasswords());
  const known = users.credentialOf(user) !== undefined;
  if (known && realm.login !== undefined && kept === undefined && wishes.password === undefined) {
    throw new OperatorError(
      'refused',
      `The password of "${user}" is not kept here, only that of "${realm.login.user}". ` +
        'Give it with --password-file, or leave --user out.',
    );
  }
  const login = { user, password: wishes.password ?? kept ?? newPassword() };
  // The users first: they refuse a name or a password that cannot be one. After a crash between the two the
  // next start sets the kept password again, or makes another where none is kept: what is printed is true.
  if (!known) await users.add(user, login.password);
  else if (!(await users.verify(user, login.password))) await users.setPassword(user, login.password);
  if (login.password !== kept) await writeLogin(realm.folder, login);
  return login;
}
