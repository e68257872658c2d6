/** Where the users are that `coda user` is about: at the servers of a realm, or in a file of gateways. */
import {
  checkedPassword,
  checkedUserName,
  isFailure,
  type PeopleChange,
} from '../../vice/interface/index.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { openUsers } from '../access/users.js';
import type { Administration } from '../administration/administration.js';
import { commandName } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { readRealm, realmPaths, writeLogin, type EmbeddedRealm } from '../realm/realm-folder.js';
import { withRealm, type RealmOptions } from './realm-choice.js';

export interface UserOptions extends RealmOptions {
  readonly users?: string;
}

export interface ListedUser {
  readonly name: string;
  readonly disabled: boolean;
}

export interface UserPlace {
  list(): Promise<readonly ListedUser[]>;
  add(name: string, password: string): Promise<void>;
  setPassword(name: string, password: string): Promise<void>;
  /** Whether he was there. */
  remove(name: string): Promise<void>;
  /** @throws OperatorError refused: files of gateways know no such thing */
  setDisabled(name: string, disabled: boolean): Promise<void>;
}

/** @throws OperatorError usage, refused */
export async function withUsers<T>(options: UserOptions, work: (place: UserPlace) => Promise<T>): Promise<T> {
  const { users, data, realm } = options;
  if ([users, data, realm].filter((each) => each !== undefined).length > 1) {
    throw new OperatorError('usage', 'Give one of --realm, --data and --users.');
  }
  if (realm !== undefined)
    return withRealm(options, (administration) => work(atServers(administration, realm)));
  if (users !== undefined) return work(inFile(users, undefined));
  const folder = data ?? defaultDataFolder();
  const embedded = await readRealm(folder);
  if (embedded !== undefined) return work(inFile(realmPaths(folder).users, embedded));
  const advice =
    `Make one with ${commandName()} up; name a real one with --realm; or the users' file of a gateway with ` +
    '--users FILE.';
  throw new OperatorError('refused', `There is no realm in ${folder}. ${advice}`);
}

/** What a password is known by is made here: servers are sent no password. */
function atServers(administration: Administration, realm: string): UserPlace {
  const change = async (wanted: PeopleChange): Promise<void> => {
    await administration.changePeople(wanted).catch((error: unknown) => {
      if (isFailure(error, 'refused')) throw keptByGateways(realm);
      throw error;
    });
  };
  const verifierOf = (password: string): Promise<string> => scryptPasswords().hash(checkedPassword(password));
  return {
    async list() {
      const listed = await administration.users();
      if (listed === undefined) throw keptByGateways(realm);
      return listed.users.map(({ name, disabled }) => ({ name, disabled }));
    },
    async add(name, password) {
      const verifier = await verifierOf(password);
      await change({ change: 'add-user', name: checkedUserName(name), verifier });
    },
    async setPassword(name, password) {
      await change({ change: 'set-password', name, verifier: await verifierOf(password) });
    },
    remove: (name) => change({ change: 'remove-user', name }),
    setDisabled: (name, disabled) => change({ change: disabled ? 'disable-user' : 'enable-user', name }),
  };
}

/** `realm` is that of `coda up` that keeps one of the passwords, if it is one. */
function inFile(file: string, realm: EmbeddedRealm | undefined): UserPlace {
  const open = () => openUsers(file, scryptPasswords());
  return {
    async list() {
      return (await open()).list().map((name) => ({ name, disabled: false }));
    },
    async add(name, password) {
      await (await open()).add(name, password);
    },
    async setPassword(name, password) {
      await (await open()).setPassword(name, password);
      if (realm?.login?.user === name) await writeLogin(realm.folder, { user: name, password });
    },
    async remove(name) {
      if (realm?.login?.user === name) {
        const maker = `${commandName()} up`;
        throw new OperatorError('refused', `"${name}" is the user that ${maker} makes and prints. It stays.`);
      }
      await (await open()).remove(name);
    },
    setDisabled(name) {
      const where = 'Only where servers keep the people (--realm) a user is disabled';
      const message = `${where}. Remove ${name}, or set another password.`;
      return Promise.reject(new OperatorError('refused', message));
    },
  };
}

function keptByGateways(realm: string): OperatorError {
  const message =
    `In the realm of ${realm} each gateway keeps users of its own: name its file with --users. ` +
    '`coda realm people --from FILE` has the servers keep them from then on.';
  return new OperatorError('refused', message);
}
