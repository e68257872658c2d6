/** The people who may use a gateway: names and password hashes. */
import { Failure } from '../../venus/interface.js';
import { hashPassword, usualCost, verifyNobody, verifyPassword, type HashCost } from './password-hash.js';
import { changeUser, fileMark, readUsers, type StoredUser } from './users-file.js';

export interface Users {
  /** Whether `password` is the user's; as slow for a name that does not exist. */
  verify(name: string, password: string): Promise<boolean>;
  /** The stored hash, or undefined for nobody: when it changes, what was verified before is void. */
  credentialOf(name: string): string | undefined;
  /** Reads the file again if it has changed. @throws Failure damaged; the users known before stay */
  refresh(): Promise<void>;
  /** @throws Failure exists, invalid, busy, damaged */
  add(name: string, password: string): Promise<void>;
  /** @throws Failure not-found, invalid, busy, damaged */
  setPassword(name: string, password: string): Promise<void>;
  /** @throws Failure not-found, busy, damaged */
  remove(name: string): Promise<void>;
  /** Names in order. */
  list(): readonly string[];
}

/** The users in `file`, which need not exist yet. @throws Failure damaged */
export async function openUsers(file: string, cost: HashCost = usualCost): Promise<Users> {
  const users = new FileUsers(file, cost);
  await users.refresh();
  return users;
}

class FileUsers implements Users {
  readonly #file: string;
  readonly #cost: HashCost;
  #users: ReadonlyMap<string, StoredUser> = new Map();
  #mark = '';

  constructor(file: string, cost: HashCost) {
    this.#file = file;
    this.#cost = cost;
  }

  verify(name: string, password: string): Promise<boolean> {
    const hash = this.credentialOf(name);
    return hash === undefined ? verifyNobody(password, this.#cost) : verifyPassword(password, hash);
  }

  credentialOf(name: string): string | undefined {
    return this.#users.get(name.normalize('NFC'))?.hash;
  }

  async refresh(): Promise<void> {
    // Taken before the file is read: a change in between is seen at the next refresh.
    const mark = await fileMark(this.#file);
    if (mark === this.#mark) return;
    this.#users = await readUsers(this.#file);
    this.#mark = mark;
  }

  async add(name: string, password: string): Promise<void> {
    const normal = checkedName(name);
    await this.refresh();
    if (this.#users.has(normal))
      throw new Failure('exists', 'users.add', `there is a user ${normal} already`);
    await this.#change(normal, await this.#hash(password));
  }

  async setPassword(name: string, password: string): Promise<void> {
    await this.#change(await this.#existing(name), await this.#hash(password));
  }

  async remove(name: string): Promise<void> {
    await this.#change(await this.#existing(name), null);
  }

  list(): readonly string[] {
    return [...this.#users.keys()].sort();
  }

  async #existing(name: string): Promise<string> {
    await this.refresh();
    const normal = name.normalize('NFC');
    if (!this.#users.has(normal))
      throw new Failure('not-found', 'users.change', `there is no user ${normal}`);
    return normal;
  }

  async #change(name: string, hash: string | null): Promise<void> {
    await changeUser(this.#file, name, hash);
    await this.refresh();
  }

  async #hash(password: string): Promise<string> {
    if (password === '') throw new Failure('invalid', 'users.change', 'a password must not be empty');
    if (password.length > 1024)
      throw new Failure('invalid', 'users.change', 'a password has at most 1024 characters');
    return hashPassword(password, this.#cost);
  }
}

/** RFC 7617: no colon; a backslash would end a domain name. */
function checkedName(name: string): string {
  const normal = name.normalize('NFC');
  if (/^[^\s:\\/\p{C}](?:[^:\\/\p{C}]{0,62}[^\s:\\/\p{C}])?$/u.test(normal)) return normal;
  const rule =
    'a user name has 1 to 64 characters, none of them a colon, slash, backslash or control character';
  throw new Failure('invalid', 'users.add', rule);
}
