/** An authority for tests: certificates as good and as bad as a test wants them. */
import {
  issueCertificate,
  makeAuthority,
  type Certified,
  type Subject,
} from '../../gateway/x509/certificate.js';
import { identityUri, type RealmIdentity, type Role } from '../../vice/interface/index.js';
import type { CertificateSet } from '../../vice/seam/real/realm-certificates.js';

const day = 24 * 60 * 60 * 1000;

export interface Oddity {
  /** Days from now, from and to. */
  readonly days?: readonly [number, number];
  readonly purposes?: Subject['purposes'];
  /** Whom it names, if not the realm's own. */
  readonly realm?: string;
  readonly uris?: readonly string[];
}

export class TestAuthority {
  readonly realm: string;
  readonly #own: Certified = makeAuthority('test authority', validity([-1, 100]));

  constructor(realm: string) {
    this.realm = realm;
  }

  /** PEM. */
  get certificate(): string {
    return this.#own.certificate;
  }

  issue(role: Role, name: string, oddity: Oddity = {}): CertificateSet {
    const { days = [-1, 60], realm = this.realm } = oddity;
    const identity: RealmIdentity = { realm, role, name };
    const purposes = oddity.purposes ?? (role === 'server' ? ['server', 'client'] : ['client']);
    const subject = { commonName: name, purposes, uris: oddity.uris ?? [identityUri(identity)], hosts: [] };
    const when = validity(days);
    const issued = issueCertificate(this.#own, subject, when);
    return { ...issued, authority: this.#own.certificate, identity, validTo: when.to };
  }
}

function validity([from, to]: readonly [number, number]): { from: number; to: number } {
  const now = Date.now();
  return { from: now + from * day, to: now + to * day };
}
