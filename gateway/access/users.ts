/** The people who may use a gateway: names and password hashes. */
import { checkedPassword, checkedUserName, Failure } from '../../venus/interface.js';
import type { Passwords } from '../../vice/seam/passwords.js';
import type { Doorkeeper } from './doorkeeper.js';
import { changeUser, fileMark, readUsers, type StoredUser } from './users-file.js';

export interface Users extends Doorkeeper {
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
export async function openUsers(file: string, passwords: Passwords): Promise<Users> {
  const users = new FileUsers(file, passwords);
  await users.refresh();
  return users;
}

class FileUsers implements Users {
  readonly #file: string;
  readonly #passwords: Passwords;
  #users: ReadonlyMap<string, StoredUser> = new Map();
  #mark = '';

  constructor(file: string, passwords: Passwords) {
    this.#file = file;
    this.#passwords = passwords;
  }

  verify(name: string, password: string): Promise<boolean> {
    const hash = this.credentialOf(name);
    const passwords = this.#passwords;
    return hash === undefined ? passwords.verifyNobody(password) : passwords.verify(password, hash);
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
    const normal = checkedUserName(name);
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

  #hash(password: string): Promise<string> {
    return this.#passwords.hash(checkedPassword(password));
  }
}
