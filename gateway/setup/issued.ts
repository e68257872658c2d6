/** Certificates in the folder of a realm: making them with its authority, and reading which there are. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityIn, identityUri, type RealmIdentity } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { readIfThere, writeWhole } from '../realm/whole-file.js';
import { issueCertificate, makeAuthority, type Certified, type Subject } from '../x509/certificate.js';

const day = 24 * 60 * 60 * 1000;
/** The authority outlives what it signs; browsers take certificates of doors for 398 days at most. */
const authorityDays = 3650;
export const memberDays = 397;
/** Clocks that are a little behind shall take a new certificate. */
const clockDifference = 60 * 60 * 1000;

export interface Place {
  readonly folder: string;
  /** Without .crt and .key. */
  readonly base: string;
}

/** The authority of the realm in `folder`, made if there is none. @throws OperatorError refused: half of it is there */
export async function authorityOf(folder: string, commonName: string, made: string[]): Promise<Certified> {
  const found = await readAuthority(folder);
  if (found !== undefined) return found;
  const authority = makeAuthority(commonName, validity(authorityDays));
  await writePair({ folder, base: 'ca' }, authority, made);
  return authority;
}

/** Undefined: there is none yet. @throws OperatorError refused */
export async function readAuthority(folder: string): Promise<Certified | undefined> {
  const certificate = await readIfThere(join(folder, 'ca.crt'));
  if (certificate === undefined) return undefined;
  const key = await readIfThere(join(folder, 'ca.key'));
  if (key !== undefined) return { certificate, key };
  const message = `${join(folder, 'ca.key')} is missing: only where it is certificates are made. Use that folder.`;
  throw new OperatorError('refused', message);
}

/** For links between the parties of the realm. A server also dials, to the others. */
export function memberSubject(identity: RealmIdentity): Subject {
  const purposes = identity.role === 'server' ? (['server', 'client'] as const) : (['client'] as const);
  return { commonName: identity.name, purposes, uris: [identityUri(identity)], hosts: [] };
}

/** For WebDAV clients: it names no party of the realm, so it opens no link. */
export function doorSubject(host: string): Subject {
  return { commonName: host, purposes: ['server'], uris: [], hosts: [host] };
}

/** Makes a certificate with a new key, in place of the one that is there. `notBefore`: earlier ones are revoked. */
export async function issue(
  authority: Certified,
  place: Place,
  subject: Subject,
  made: string[],
  notBefore = 0,
): Promise<void> {
  const { from, to } = validity(memberDays);
  const certified = issueCertificate(authority, subject, { from: Math.max(from, notBefore), to });
  await writePair(place, certified, made);
}

/** The key first: a process that sees a new certificate finds its key. */
async function writePair({ folder, base }: Place, pair: Certified, made: string[]): Promise<void> {
  const [key, certificate] = [join(folder, `${base}.key`), join(folder, `${base}.crt`)];
  await writeWhole(key, pair.key, 0o600);
  await writeWhole(certificate, pair.certificate);
  made.push(key, certificate);
}

export interface Listed {
  readonly file: string;
  /** Undefined: it names nobody of a realm, as that of a door. */
  readonly identity: RealmIdentity | undefined;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** All certificates in `folder` and the folders in it, but copies of that of the authority. */
export async function listCertificates(folder: string): Promise<Listed[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const inner of folders.sort()) {
    const names = await readdir(join(folder, inner));
    files.push(...names.filter((name) => name !== 'ca.crt').map((name) => join(inner, name)));
  }
  const listed: Listed[] = [];
  for (const file of files.filter((name) => name.endsWith('.crt'))) {
    const text = await readFile(join(folder, file), 'utf8');
    listed.push(described(file, text));
  }
  return listed;
}

function described(file: string, text: string): Listed {
  try {
    const { subject, subjectAltName, validFrom, validTo } = new X509Certificate(text);
    const identity = identityIn(subjectAltName);
    const [from, until] = [Date.parse(validFrom), Date.parse(validTo)];
    return { file, identity, subject: subject.replace(/^CN=/, ''), from, until };
  } catch (cause) {
    throw new OperatorError('refused', `${file} is damaged. Restore it, or issue another one.`, { cause });
  }
}

function validity(days: number): { readonly from: number; readonly to: number } {
  const now = Date.now();
  return { from: now - clockDifference, to: now + days * day };
}
