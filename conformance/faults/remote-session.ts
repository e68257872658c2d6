/**
 * A person at one real gateway, who has no more than a share: carries out the simulator's deeds over WebDAV, one after
 * the other, and writes down what came of them as the simulator's people do (simulation/world/session.ts).
 *
 * Here time passes between a look and what is done, and a path may mean another object by then. So files are named by
 * their versions too (If-Match, and If for a destination), and who cannot name what he means looks once more
 * afterwards: what he cannot tell he does not claim.
 */
import { textFor, type Attempt } from '../simulation/world/attempt.js';
import type { Deed } from '../simulation/world/scenario.js';
import type { WebdavClient } from '../webdav-client.js';
import { targetOf, type Recording } from './recording.js';
import { Refusal } from './remote-answer.js';
import { RemoteSight, versionOf, type Place, type Shown } from './remote-sight.js';
import { fragmentOf, propertyUpdate } from './said-property.js';

export type RemoteDeed = Extract<
  Deed,
  { do: 'put' | 'get' | 'list' | 'mkdir' | 'remove' | 'rename' | 'copy' | 'setprop' }
>;

type Transfer = Extract<RemoteDeed, { to: string }>;

export class RemoteSession {
  readonly #gateway: string;
  readonly #recording: Recording;
  readonly #sight: RemoteSight;

  constructor(client: WebdavClient, gateway: string, recording: Recording) {
    this.#gateway = gateway;
    this.#recording = recording;
    this.#sight = new RemoteSight(client, gateway, recording);
  }

  /** Settles when the deed is answered, or given up. */
  async carryOut(deed: RemoteDeed): Promise<Attempt> {
    const attempt = this.#recording.begin(deed, this.#gateway);
    try {
      const isDone = await this.#act(deed, attempt);
      attempt.outcome = isDone ? 'ok' : 'nothing';
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      attempt.outcome = error.outcome;
      attempt.message = error.message;
    } finally {
      this.#recording.leave(attempt);
    }
    if (attempt.outcome !== 'pending') attempt.end ??= this.#recording.now();
    return attempt;
  }

  async #act(deed: RemoteDeed, attempt: Attempt): Promise<boolean> {
    const place = await this.#sight.lookup(deed.path);
    const { object } = place;
    attempt.seen = object === null ? null : { fid: object.fid, version: object.version };
    attempt.shown = attempt.seen;
    switch (deed.do) {
      case 'put':
        return this.#put(place, attempt, deed.bytes);
      case 'get':
        if (object?.kind !== 'file') return object !== null;
        await this.#get(object, attempt);
        return true;
      case 'list':
        if (object?.kind !== 'directory') return object !== null;
        await this.#sight.list(object.path);
        return true;
      case 'mkdir':
        return this.#makeDirectory(place, attempt);
      case 'remove':
        return this.#remove(place, attempt);
      case 'setprop':
        return object !== null && this.#say(object, deed, attempt);
      case 'rename':
      case 'copy':
        return this.#transfer(place, attempt, deed);
    }
  }

  async #get(object: Shown, attempt: Attempt): Promise<void> {
    const { version, text } = await this.#sight.read(object.path);
    attempt.read = text;
    const fid = version === object.version ? object.fid : this.#recording.fileOf(version);
    if (fid === undefined) delete attempt.seen;
    else attempt.seen = { fid, version };
  }

  async #put({ parent, path, object }: Place, attempt: Attempt, bytes: number): Promise<boolean> {
    if (object !== null && object.kind !== 'file') return false;
    attempt.into = parent;
    const text = textFor(attempt, bytes);
    attempt.text = text;
    attempt.base = object?.version ?? null;
    if (object !== null) {
      await this.#sight.giveUpText(object, attempt);
      attempt.touches = object.fid;
    }
    const headers = { ...matching(object), ...(object === null && { 'if-none-match': '*' }) };
    const reply = await this.#change(attempt, 'PUT', path, headers, text);
    const version = versionOf(String(reply.headers['etag']));
    if (version === null) throw new Error(`PUT ${path} was answered without an ETag`);
    attempt.version = version;
    this.#recording.read(version, text, `${this.#gateway}: PUT ${path}`);
    if (object !== null) attempt.made = object.fid;
    else await this.#findMade(attempt, path, (found) => found.version === version);
    if (attempt.made !== undefined) attempt.seen = { fid: attempt.made, version };
    return true;
  }

  async #makeDirectory({ parent, path, object }: Place, attempt: Attempt): Promise<boolean> {
    if (object !== null) return false;
    attempt.into = parent;
    await this.#change(attempt, 'MKCOL', path);
    await this.#findMade(attempt, path, (found) => found.kind === 'directory' && this.#isOwn(attempt, found));
    return true;
  }

  async #remove({ parent, path, name, object }: Place, attempt: Attempt): Promise<boolean> {
    if (object === null) return false;
    await this.#giveUp(object, attempt);
    if (object.kind === 'directory') attempt.blind = { parent, name };
    await this.#change(attempt, 'DELETE', path, matching(object));
    return true;
  }

  /** To look at a tree takes time: what came into it meanwhile goes too. */
  async #giveUp(object: Shown, attempt: Attempt): Promise<void> {
    await this.#sight.giveUp(object, attempt);
    attempt.removes.add(object.fid);
    if (object.kind === 'directory') await this.#sight.giveUp(object, attempt);
  }

  async #say(
    object: Shown,
    deed: Extract<RemoteDeed, { do: 'setprop' }>,
    attempt: Attempt,
  ): Promise<boolean> {
    attempt.touches = object.fid;
    attempt.marked = { fid: object.fid, what: deed.name, value: fragmentOf(deed.name, deed.value) };
    const headers = { 'content-type': 'application/xml', ...matching(object) };
    await this.#change(attempt, 'PROPPATCH', object.path, headers, propertyUpdate(deed.name, deed.value));
    const after = await this.#sight.lookAgain(object.path);
    // It may be said of another one that took its place.
    if (object.kind === 'directory' && after?.object?.fid !== object.fid) attempt.marked = undefined;
    return true;
  }

  async #transfer(from: Place, attempt: Attempt, deed: Transfer): Promise<boolean> {
    const to = await this.#sight.lookup(deed.to);
    if (from.object === null) return false;
    attempt.into = to.parent;
    if (from.parent === to.parent && from.name === to.name) return false;
    if (deed.do === 'copy' && from.object.kind !== 'file') return false;
    const target = { parent: to.parent, name: to.name };
    if (to.object !== null) {
      await this.#giveUp(to.object, attempt);
      if (to.object.kind === 'directory') attempt.blind = target;
      // Moved over a file in conflict it becomes that file's contents.
      else if (deed.do === 'rename') attempt.removes.add(from.object.fid);
    }
    const destination = this.#sight.absolute(deed.to);
    const { etag = null } = to.object ?? {};
    const headers = {
      destination,
      overwrite: to.object === null ? 'F' : 'T',
      ...matching(from.object),
      ...(etag !== null && { if: `<${destination}> ([${etag}])` }),
    };
    if (deed.do === 'copy') await this.#copy(from.object, attempt, deed, headers);
    else await this.#move(from.object, to, attempt, headers);
    return true;
  }

  async #copy(
    source: Shown,
    attempt: Attempt,
    deed: Transfer,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const before = await this.#sight.lookAgain(deed.to);
    await this.#change(attempt, 'COPY', source.path, headers);
    const text = source.version === null ? undefined : this.#recording.ledger.texts.get(source.version);
    const kept = before?.object?.fid;
    await this.#findMade(attempt, deed.to, (found) => {
      const isOwn =
        found.fid === kept ? found.version !== before?.object?.version : this.#isOwn(attempt, found);
      if (!isOwn || !this.#recording.isAlone(attempt, deed.to)) return false;
      attempt.copied = found.version;
      if (found.version !== null && text !== undefined)
        this.#recording.read(found.version, text, `${this.#gateway}: COPY ${source.path}`);
      return true;
    });
  }

  async #move(
    source: Shown,
    to: Place,
    attempt: Attempt,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { ledger } = this.#recording;
    attempt.takes.add(source.fid);
    attempt.touches = source.fid;
    attempt.placed = { fid: source.fid, parent: to.parent, name: to.name };
    ledger.put(source.fid, to.parent);
    if (to.object?.kind === 'file') ledger.movedOver(to.object.fid, source.version);
    await this.#change(attempt, 'MOVE', source.path, headers);
    const after = await this.#sight.lookAgain(to.path);
    // A folder has no version to name it by: it may have been another one, or have come into another one.
    if (after?.object != null) attempt.takes.add(after.object.fid);
    if (after !== undefined && after.parent !== to.parent) ledger.put(source.fid, after.parent);
  }

  async #change(
    attempt: Attempt,
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string,
  ): Promise<{ readonly headers: Readonly<Record<string, unknown>> }> {
    const reply = await this.#sight.ask(method, path, { headers, ...(body !== undefined && { body }) });
    attempt.end = this.#recording.now();
    attempt.message = `${reply.status}`;
    return reply;
  }

  /** A second look says which object it was. Without it, `Recording.complete` may find it. */
  async #findMade(attempt: Attempt, path: string, isIt: (found: Shown) => boolean): Promise<void> {
    const after = await this.#sight.lookAgain(path);
    if (after?.object == null || !isIt(after.object)) return;
    const { fid, wanted } = after.object;
    attempt.made = fid;
    attempt.placed = { fid, parent: after.parent, name: wanted };
  }

  #isOwn(attempt: Attempt, { fid }: Shown): boolean {
    const path = targetOf(attempt.deed);
    return this.#recording.isNewSince(fid, attempt) && this.#recording.isAlone(attempt, path);
  }
}

/** The version that it is made from. */
function matching(object: Shown | null): Readonly<Record<string, string>> {
  return object?.etag == null ? {} : { 'if-match': object.etag };
}
