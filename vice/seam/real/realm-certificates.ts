/**
 * A process's own certificate, its key and the authority of its realm: three PEM files, looked at again whenever they
 * have changed. So certificates are replaced under a running process: new handshakes have the new files.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { Failure, identityIn, identityText, type RealmIdentity } from '../../interface/index.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

/** Paths. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** One certificate, or several: while the authority is replaced, the old and the new one. */
  readonly authority: string;
}

/** PEM texts, and what the certificate says. */
export interface CertificateSet {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  readonly identity: RealmIdentity;
  /** Milliseconds since 1970. */
  readonly validTo: number;
}

/** What a network needs of them. */
export interface Certificates {
  /** The newest that can be used. Another object: others than before. */
  current(): CertificateSet;
}

const operation = 'network.certificates';
const day = 24 * 60 * 60 * 1000;
/** Files are looked at at most this often. */
const lookMs = 1000;
const warnBefore = 30 * day;

/** @throws Failure invalid: a file is missing or no PEM, they do not belong together, the time is not right */
export function readCertificates(files: CertificateFiles, now: number): CertificateSet {
  const [certificate, key, authority] = [files.certificate, files.key, files.authority].map(readText);
  if (certificate === undefined || key === undefined || authority === undefined) throw wrong('three files');
  const own = parsed(files.certificate, certificate);
  if (!belongs(own, key)) throw wrong(`${files.key} is not the key of ${files.certificate}`);
  const authorities = certificatesIn(authority).map((text) => parsed(files.authority, text));
  if (authorities.length === 0) throw wrong(`${files.authority} holds no certificate (PEM)`);
  if (!authorities.some((ca) => ca.ca && own.checkIssued(ca) && own.verify(ca.publicKey))) {
    throw wrong(`${files.certificate} was not issued by the authority in ${files.authority}`);
  }
  const identity = identityIn(own.subjectAltName);
  if (identity === undefined) {
    const how = 'issue one with `coda realm certificate`';
    throw wrong(`${files.certificate} names no server, gateway or administrator of a realm: ${how}`);
  }
  const validTo = Date.parse(own.validTo);
  const how = 'issue another one with `coda realm certificate`, or correct the clock';
  if (now > validTo) throw wrong(`${files.certificate} has expired on ${own.validTo}: ${how}`);
  if (now < Date.parse(own.validFrom)) {
    throw wrong(`${files.certificate} is valid from ${own.validFrom} only: correct the clock`);
  }
  return { certificate, key, authority, identity, validTo };
}

export class RealmCertificates implements Certificates {
  readonly #files: CertificateFiles;
  readonly #world: { readonly clock: Clock; readonly log: Log };
  #current: CertificateSet;
  #mark: string;
  #looked: number;
  #warned = Number.NEGATIVE_INFINITY;
  #fault: string | undefined;

  /** @throws Failure invalid, as readCertificates */
  constructor(files: CertificateFiles, world: { readonly clock: Clock; readonly log: Log }) {
    this.#files = files;
    this.#world = world;
    this.#mark = markOf(files);
    this.#current = readCertificates(files, world.clock.wall());
    this.#looked = world.clock.monotonic();
    this.#warnOfEnd();
  }

  current(): CertificateSet {
    const now = this.#world.clock.monotonic();
    if (now - this.#looked >= lookMs) {
      this.#looked = now;
      this.#look();
      this.#warnOfEnd();
    }
    return this.#current;
  }

  /** Between two files that are being replaced they do not fit together: then the old ones serve on. */
  #look(): void {
    const { clock, log } = this.#world;
    const mark = markOf(this.#files);
    if (mark === this.#mark) return;
    try {
      const next = readCertificates(this.#files, clock.wall());
      const { realm, role, name } = this.#current.identity;
      if (next.identity.realm !== realm || next.identity.role !== role || next.identity.name !== name) {
        throw wrong(`${this.#files.certificate} is that of ${identityText(next.identity)}, not of ${name}`);
      }
      this.#current = next;
      this.#mark = mark;
      this.#fault = undefined;
      log.info('certificate read', { identity: identityText(next.identity), until: dateOf(next.validTo) });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (this.#fault === error.message) return;
      this.#fault = error.message;
      log.error('new certificate not used', { reason: error.message, until: dateOf(this.#current.validTo) });
    }
  }

  #warnOfEnd(): void {
    const { clock, log } = this.#world;
    const { validTo, identity } = this.#current;
    if (validTo - clock.wall() > warnBefore || clock.monotonic() - this.#warned < day) return;
    this.#warned = clock.monotonic();
    const what = { identity: identityText(identity), on: dateOf(validTo), file: this.#files.certificate };
    log.warn('certificate ends soon: issue another one with `coda realm certificate`', what);
  }
}

/** Each certificate of a PEM text. */
export function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function dateOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure('invalid', operation, `${file} cannot be read: ${String(cause)}`, { cause });
  }
}

/** What tells one state of the files from another. */
function markOf({ certificate, key, authority }: CertificateFiles): string {
  const marks = [certificate, key, authority].map((file) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
  });
  return marks.join();
}

function parsed(file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new Failure('invalid', operation, `${file} holds no certificate (PEM)`, { cause });
  }
}

function belongs(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function wrong(message: string): Failure {
  return new Failure('invalid', operation, message);
}
