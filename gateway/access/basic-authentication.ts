/**
 * HTTP Basic authentication (RFC 7617) against slow hashes, made fast by remembering for a minute what was
 * verified.
 *
 * BA-1  A password is never kept: only its HMAC under a key of this process.
 * BA-2  What was verified holds only as long as the user's stored hash is the one it was verified against.
 * BA-3  At most `atOnce` are verified and `maxWaiting` wait; further attempts are told to come back.
 * BA-4  Who cannot be asked about is told to come back: neither in nor out.
 */
import { createHmac } from 'node:crypto';
import PQueue from 'p-queue';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import { isFailure } from '../../venus/interface.js';
import type { Doorkeeper } from './doorkeeper.js';
import { LoginLimit } from './login-limit.js';

const rememberMs = 60_000;
const maxRemembered = 1000;
/** Each takes 32 MiB (vice/seam/real/scrypt-passwords.ts) while transfers go on. */
const usualAtOnce = 1;
const maxWaiting = 32;
const refreshMs = 1000;
/** RFC 7617 section 2.1: tells clients to send user and password in UTF-8. */
const challenge = 'Basic realm="coda", charset="UTF-8"';

/** Who asks, or how to refuse. */
export type Login =
  | { readonly user: string }
  | { readonly status: 401 | 429 | 503; readonly headers: Readonly<Record<string, string>> };

/** `authorization` is the header as it came, `remote` the address of the client. */
export type Authenticate = (authorization: string | undefined, remote: string) => Promise<Login>;

export interface BasicAuthenticationOptions {
  readonly users: Doorkeeper;
  /** How many are verified at once; one by default. */
  readonly atOnce?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Verified {
  readonly user: string;
  /** The stored hash that the password was verified against. */
  readonly credential: string | undefined;
  /** Monotonic milliseconds. */
  readonly expires: number;
}

export function basicAuthentication(options: BasicAuthenticationOptions): Authenticate {
  const authentication = new BasicAuthentication(options);
  return (authorization, remote) => authentication.login(authorization, remote);
}

const refused: Login = { status: 401, headers: { 'WWW-Authenticate': challenge } };

class BasicAuthentication {
  readonly #options: BasicAuthenticationOptions;
  readonly #key: Uint8Array;
  readonly #verified = new Map<string, Verified>();
  readonly #underWay = new Map<string, Promise<Login>>();
  readonly #turns: PQueue;
  readonly #limit: LoginLimit;
  #refreshed = Number.NEGATIVE_INFINITY;

  constructor(options: BasicAuthenticationOptions) {
    this.#options = options;
    this.#key = options.random.bytes(32);
    this.#turns = new PQueue({ concurrency: options.atOnce ?? usualAtOnce });
    this.#limit = new LoginLimit(options.clock);
  }

  async login(authorization: string | undefined, remote: string): Promise<Login> {
    const given = parseBasic(authorization);
    if (given === undefined) return refused;
    await this.#refresh();
    const key = createHmac('sha256', this.#key).update(`${given.user}\0${given.password}`).digest('base64');
    const verified = this.#recall(key);
    if (verified !== undefined) return { user: verified.user };
    // A client opens many connections at once: one hash answers all of them.
    const attempt = `${key} ${remote}`;
    const running = this.#underWay.get(attempt);
    if (running !== undefined) return running;
    const login = this.#verify(key, given, remote).finally(() => this.#underWay.delete(attempt));
    this.#underWay.set(attempt, login);
    return login;
  }

  async #verify(key: string, { user, password }: Credentials, remote: string): Promise<Login> {
    const { log } = this.#options;
    const wait = this.#limit.waitOf(user, remote);
    if (wait > 0) return { status: 429, headers: { 'Retry-After': String(wait) } };
    if (this.#turns.size >= maxWaiting) return { status: 503, headers: { 'Retry-After': '2' } };
    let isRight: boolean | undefined;
    try {
      isRight = await this.#turns.add(() => this.#isRight(key, user, password));
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout', 'busy')) throw error;
      // Where nobody is asked guesses are free else.
      this.#limit.failed(user, remote);
      log.warn('login not decided', { user: user.slice(0, 64), remote, kind: error.kind });
      return { status: 503, headers: { 'Retry-After': '10' } };
    }
    if (isRight !== true) {
      this.#limit.failed(user, remote);
      log.warn('login refused', { user: user.slice(0, 64), remote });
      return refused;
    }
    this.#limit.succeeded(user, remote);
    return { user };
  }

  async #isRight(key: string, user: string, password: string): Promise<boolean> {
    const { users, clock } = this.#options;
    const before = users.credentialOf(user);
    if (!(await users.verify(user, password))) return false;
    // A first login makes a credential; one that changed meanwhile otherwise was not verified.
    const credential = before ?? users.credentialOf(user);
    this.#remember(key, { user, credential, expires: clock.monotonic() + rememberMs });
    return true;
  }

  #recall(key: string): Verified | undefined {
    const verified = this.#verified.get(key);
    if (verified === undefined) return undefined;
    const { users, clock } = this.#options;
    if (verified.expires > clock.monotonic() && verified.credential === users.credentialOf(verified.user)) {
      return verified;
    }
    this.#verified.delete(key);
    return undefined;
  }

  #remember(key: string, verified: Verified): void {
    const oldest = this.#verified.keys().next();
    if (this.#verified.size >= maxRemembered && oldest.done !== true) this.#verified.delete(oldest.value);
    this.#verified.set(key, verified);
  }

  /** A user added or a password changed by the command counts within a second. */
  async #refresh(): Promise<void> {
    const { users, clock, log } = this.#options;
    if (clock.monotonic() - this.#refreshed < refreshMs) return;
    this.#refreshed = clock.monotonic();
    try {
      await users.refresh();
    } catch (error) {
      log.error('users unreadable', { error: error instanceof Error ? error.message : String(error) });
    }
  }
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** User and password, or undefined for anything else (also for the empty Bearer that Office sends first). */
export function parseBasic(authorization: string | undefined): Credentials | undefined {
  const match = /^basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(authorization ?? '');
  if (match?.[1] === undefined || match[1].length > 4096) return undefined;
  const text = decodeText(Buffer.from(match[1], 'base64'));
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const account = text.slice(0, colon).normalize('NFC');
  // Windows puts its domain or the machine's name before the user.
  const user = account.slice(account.lastIndexOf('\\') + 1);
  return user === '' ? undefined : { user, password: text.slice(colon + 1) };
}

/** UTF-8, else the Latin-1 of clients that do not know the charset parameter. */
function decodeText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}
