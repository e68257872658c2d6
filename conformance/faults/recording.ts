/**
 * What people at real gateways did, were told and were shown, in the words of the simulator's ledger
 * (simulation/world/ledger.ts), so that the same laws judge it. Pure.
 *
 * An object is named by its DAV:resource-id: that is what a person sees of its Fid.
 */
import { versionsOf, type Fid, type StoreId } from '../../vice/interface/index.js';
import type { ReplicaDump } from '../simulation/replica-dump.js';
import type { Attempt } from '../simulation/world/attempt.js';
import { Ledger } from '../simulation/world/ledger.js';
import type { Run } from '../simulation/world/outcome.js';
import { lastNameOf, wordsOf, type Deed, type Step } from '../simulation/world/scenario.js';
import { boundSent } from './sent-bound.js';

/** Where an object was seen, and since when somebody knows of it. */
interface Sighting {
  readonly fid: Fid;
  readonly isDirectory: boolean;
  readonly since: number;
  /** Directory and name, as it was given that name: in conflict it may bear another one. */
  readonly places: Set<string>;
}

export interface SeenObject {
  readonly fid: Fid;
  readonly version: StoreId | null;
  readonly kind: 'file' | 'directory';
  readonly parent: Fid;
  /** Under which it was put there. */
  readonly wanted: string;
}

export class Recording {
  readonly ledger = new Ledger();
  /** What nobody expects: an answer that says that the gateway failed, none for too long, bytes that change. */
  readonly accidents: string[] = [];
  /** Objects that were seen in conflict. */
  readonly conflicted = new Set<string>();
  readonly now: () => number;
  readonly #sightings = new Map<Fid, Sighting>();
  readonly #files = new Map<StoreId, Fid>();
  readonly #underWay = new Set<Attempt>();

  constructor(now: () => number) {
    this.now = now;
  }

  begin(deed: Deed, gateway: string): Attempt {
    const attempt = this.ledger.begin(deed, gateway, this.now());
    this.#underWay.add(attempt);
    return attempt;
  }

  /** Its author waits no longer; it is over, or may happen at any time. */
  leave(attempt: Attempt): void {
    this.#underWay.delete(attempt);
  }

  saw({ fid, version, kind, parent, wanted }: SeenObject): void {
    this.ledger.put(fid, parent);
    let known = this.#sightings.get(fid);
    if (known === undefined) {
      known = { fid, isDirectory: kind === 'directory', since: this.now(), places: new Set() };
      this.#sightings.set(fid, known);
    }
    known.places.add(`${parent} ${wanted}`);
    if (version !== null) this.#files.set(version, fid);
  }

  /** A version never changes its bytes, whoever shows it. */
  read(version: StoreId, text: string, where: string): void {
    const before = this.ledger.texts.get(version) ?? text;
    this.ledger.texts.set(version, before);
    if (before !== text) this.accidents.push(`${where} shows other bytes as the version ${version}`);
  }

  /** The file of this version, if anybody has seen it there. */
  fileOf(version: StoreId): Fid | undefined {
    return this.#files.get(version);
  }

  /** Whether it may have been made by `attempt`: nobody had seen it before, nobody else is known to have made it. */
  isNewSince(fid: Fid, attempt: Attempt): boolean {
    const { since = Infinity } = this.#sightings.get(fid) ?? {};
    return since >= attempt.begin && !this.ledger.attempts.some(({ made }) => made === fid);
  }

  /** Whether nobody else, anywhere, did anything to this path, or above it, since `attempt` was begun. */
  isAlone(attempt: Attempt, path: string): boolean {
    return this.ledger.attempts.every((other) => {
      if (other === attempt) return true;
      const isOver = !this.#underWay.has(other) && (other.end ?? other.begin) < attempt.begin;
      return isOver || !pathsOf(other.deed).some((each) => isAbout(path, each));
    });
  }

  /**
   * When all is over: objects whose makers were never told, or could not tell which one they had made, by what was seen
   * under that name. Which of several it was nobody can say; that it was given the name is sure.
   */
  complete(): void {
    const byText = new Map([...this.ledger.texts].map(([version, text]) => [text, version]));
    for (const attempt of this.ledger.attempts) {
      const { text = '', made, into } = attempt;
      const version = attempt.version ?? (text === '' ? undefined : byText.get(text));
      if (made !== undefined || into === undefined || !this.ledger.mayHaveHappened(attempt)) continue;
      const ofVersion = typeof version === 'string' ? this.#files.get(version) : undefined;
      if (ofVersion !== undefined && attempt.base === null) this.#give(attempt, ofVersion, into);
      if (ofVersion !== undefined && attempt.outcome === 'ok') attempt.made = ofVersion;
    }
    const open = this.ledger.attempts.filter((attempt) => this.#isOpen(attempt));
    for (const attempt of open) {
      const [found] = this.#candidates(attempt);
      if (found !== undefined && attempt.into !== undefined) this.#give(attempt, found, attempt.into);
    }
    this.ledger.complete();
  }

  /** For the laws. From the first fault on something may be wrong, for all that anybody knows. */
  run({
    seed,
    looks,
    ...ending
  }: Pick<Run, 'looks' | 'sizes' | 'settledMs'> & { readonly seed: number }): Run {
    for (const { dumps } of looks) for (const dump of dumps.values()) this.#sawDisk(dump);
    this.complete();
    boundSent(this.ledger, looks);
    this.ledger.troubles.push({ begin: 0, end: Infinity });
    // That things went wrong, no more: which and when, laws need not know.
    const killed: Step = { do: 'kill', at: 'g1', silent: true, keepsRunning: true, ms: 0 };
    const scenario = { seed, servers: 3, gateways: 2, steps: [killed] };
    const { ledger, accidents } = this;
    return { scenario, ledger, looks, regressions: [], accidents, ...ending };
  }

  get acknowledged(): number {
    const idle = ['get', 'list'];
    return this.ledger.attempts.filter(({ outcome, deed }) => outcome === 'ok' && !idle.includes(deed.do))
      .length;
  }

  /** One line for each deed: for who wants to know how something came about. */
  story(): string {
    const lines = this.ledger.attempts.map((attempt) => {
      const { number, begin, end, deed, outcome, message, shown, version, made, placed, removes } = attempt;
      const when = `${Math.round(begin)}-${end === undefined ? '' : Math.round(end)}`;
      const what = {
        shown,
        version,
        made,
        placed,
        takes: [...attempt.takes],
        removes: [...removes],
        message,
      };
      return `${number} ${when} ${wordsOf(deed)}: ${outcome} ${JSON.stringify(what)}`;
    });
    return `${lines.join('\n')}\n`;
  }

  /** How often what was answered how. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { deed, outcome } of this.ledger.attempts) {
      const what = `${deed.do} ${outcome}`;
      counts[what] = (counts[what] ?? 0) + 1;
    }
    return { ...Object.fromEntries(Object.entries(counts).sort()), 'conflicts seen': this.conflicted.size };
  }

  /** What nobody was shown: whose an object or a version is, and what is in it. */
  #sawDisk(dump: ReplicaDump | Error): void {
    if (dump instanceof Error) return;
    for (const { fid, kind, status, versions } of dump) {
      const [place] = status.places;
      if (place === undefined) continue;
      const isDirectory = kind === 'directory';
      const known = { fid, kind: isDirectory ? 'directory' : 'file', version: null } as const;
      for (const { parent, name } of status.places) this.saw({ ...known, parent, wanted: name });
      for (const [index, { storeId }] of versionsOf({
        data: status.data,
        siblings: status.siblings,
      }).entries()) {
        this.#files.set(storeId, fid);
        const text = versions[index];
        if (text !== undefined && !this.ledger.texts.has(storeId)) this.ledger.texts.set(storeId, text);
      }
    }
  }

  #isOpen(attempt: Attempt): boolean {
    const { deed, placed, shown } = attempt;
    if (placed !== undefined || !this.ledger.mayHaveHappened(attempt) || attempt.outcome === 'nothing')
      return false;
    return deed.do === 'mkdir' || deed.do === 'copy' || (deed.do === 'put' && shown === null);
  }

  #candidates({ deed, into, begin }: Attempt): readonly Fid[] {
    const place = `${into ?? ''} ${lastNameOf(targetOf(deed))}`;
    const given = new Set(
      this.ledger.attempts.flatMap(({ placed }) =>
        placed !== undefined && `${placed.parent} ${placed.name}` === place ? [placed.fid] : [],
      ),
    );
    return [...this.#sightings.values()]
      .filter(({ places, since }) => places.has(place) && since >= begin)
      .filter(({ isDirectory, fid }) => isDirectory === (deed.do === 'mkdir') && !given.has(fid))
      .map(({ fid }) => fid);
  }

  #give(attempt: Attempt, fid: Fid, parent: Fid): void {
    attempt.placed = { fid, parent, name: lastNameOf(targetOf(attempt.deed)) };
    this.ledger.put(fid, parent);
  }
}

/** Where what it makes or moves shall be; '' of one that names no place. */
export function targetOf(deed: Deed): string {
  if ('to' in deed) return deed.to;
  return 'path' in deed ? deed.path : '';
}

function pathsOf(deed: Deed): readonly string[] {
  if (deed.do === 'get' || deed.do === 'list' || deed.do === 'unlock') return [];
  return 'to' in deed ? [deed.path, deed.to] : [deed.path];
}

function isAbout(path: string, other: string): boolean {
  return path === other || path.startsWith(`${other}/`);
}
