/**
 * The file `realm.key`: 32 secret bytes, or several times as many while the key is renewed; looked at again while the
 * process runs, as certificates are. A new state counts when a second look finds it unchanged: a copy that is being
 * written is not read half.
 */
import { readFileSync, statSync } from 'node:fs';
import { Failure, type RealmKeys } from '../../interface/index.js';
import type { Clock, Timer } from '../clock.js';
import type { Log } from '../log.js';

export const realmKeyBytes = 32;
/** The new one, the old one, and those of renewals that were begun before the last was over. */
export const realmKeysMost = 4;
/** Milliseconds between two looks. */
const lookMs = 800;

/** The first is what is spoken with. @throws Failure invalid: it cannot be read, or has another length */
export function readRealmKeys(file: string): readonly Uint8Array[] {
  const bytes = readBytes(file);
  const count = bytes.length / realmKeyBytes;
  if (Number.isInteger(count) && count >= 1 && count <= realmKeysMost) return keysIn(bytes);
  const message =
    `${file} must hold exactly ${realmKeyBytes} random bytes, it holds ${bytes.length} (up to ${realmKeysMost} times ` +
    `as many while the key is renewed)`;
  throw new Failure('invalid', 'network.realmKey', message);
}

export class RealmKeyFile implements RealmKeys {
  readonly #file: string;
  readonly #world: { readonly clock: Clock; readonly log: Log };
  readonly #listeners = new Set<() => void>();
  #keys: readonly Uint8Array[];
  /** Of the state that is used, and of that which the last look has seen. */
  #used: string;
  #seen: string;
  #timer: Timer | undefined;
  #looked: number;
  #fault = '';

  /** @throws Failure invalid */
  constructor(file: string, world: { readonly clock: Clock; readonly log: Log }) {
    this.#file = file;
    this.#world = world;
    this.#looked = world.clock.monotonic();
    this.#used = this.#seen = markOf(file);
    this.#keys = readRealmKeys(file);
  }

  all(): readonly Uint8Array[] {
    if (this.#world.clock.monotonic() - this.#looked >= lookMs) this.#look();
    return this.#keys;
  }

  /** The file is looked at as long as somebody wants to know. */
  watch(changed: () => void): () => void {
    const listener = (): void => changed();
    this.#listeners.add(listener);
    this.#timer ??= this.#later();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #later(): Timer {
    return this.#world.clock.after(lookMs, () => {
      this.#timer = this.#later();
      this.#look();
    });
  }

  #look(): void {
    this.#looked = this.#world.clock.monotonic();
    const mark = markOf(this.#file);
    const isQuiet = mark === this.#seen;
    this.#seen = mark;
    if (mark === this.#used || !isQuiet) return;
    try {
      this.#keys = readRealmKeys(this.#file);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (this.#fault !== error.message)
        this.#world.log.error('new realm key not used', { reason: error.message });
      this.#fault = error.message;
      return;
    }
    this.#used = mark;
    this.#fault = '';
    this.#world.log.info('realm key read', { file: this.#file, keys: this.#keys.length });
    for (const listener of [...this.#listeners]) listener();
  }
}

function keysIn(bytes: Uint8Array): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += realmKeyBytes) keys.push(bytes.slice(at, at + realmKeyBytes));
  return keys;
}

function readBytes(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (cause) {
    throw new Failure('invalid', 'network.realmKey', `${file} cannot be read: ${String(cause)}`, { cause });
  }
}

/** What tells one state of the file from another. */
function markOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}
