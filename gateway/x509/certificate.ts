/**
 * Making certificates (RFC 5280) of one kind: ECDSA on P-256 with SHA-256; an authority that signs itself, and what it
 * signs. Node makes keys and signatures and reads certificates, but writes none.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import * as der from './der.js';

const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** PEM texts. */
export interface Certified {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

export interface Subject {
  readonly commonName: string;
  /** What it may be: who listens, who dials. */
  readonly purposes: readonly ('server' | 'client')[];
  readonly uris: readonly string[];
  /** Host names and IP addresses. */
  readonly hosts: readonly string[];
}

/** A new authority with a new key. */
export function makeAuthority(commonName: string, validity: Validity): Certified {
  const keys = newKeys();
  const extensions = [
    extension(oid.basicConstraints, der.sequence(der.yes, der.integer(Buffer.from([0]))), true),
    // RFC 5280 4.2.1.3: keyCertSign and cRLSign are bits 5 and 6.
    extension(oid.keyUsage, der.bitString(Buffer.from([0b0000_0110]), 1), true),
    extension(oid.subjectKeyIdentifier, der.octetString(keyIdentifier(keys.publicKey))),
  ];
  const name = der.sequence(nameOf(commonName));
  const parts = { issuer: name, subject: name, publicKey: keys.publicKey, validity, extensions };
  return { certificate: signed(parts, keys.privateKey), key: pemKey(keys.privateKey) };
}

/** A certificate with a new key. @throws Error when `authority` is none */
export function issueCertificate(authority: Certified, subject: Subject, validity: Validity): Certified {
  const keys = newKeys();
  const issuer = new X509Certificate(authority.certificate);
  const issuerKey = createPrivateKey(authority.key);
  if (!issuer.ca || !issuer.checkPrivateKey(issuerKey))
    throw new Error('the key is not that of the authority');
  const purposes = subject.purposes.map((purpose) =>
    der.objectIdentifier(purpose === 'server' ? oid.serverAuth : oid.clientAuth),
  );
  const extensions = [
    extension(oid.basicConstraints, der.sequence(), true),
    // digitalSignature is bit 0: all that TLS 1.3 needs.
    extension(oid.keyUsage, der.bitString(Buffer.from([0b1000_0000]), 7), true),
    extension(oid.extendedKeyUsage, der.sequence(...purposes)),
    extension(oid.subjectAltName, der.sequence(...alternatives(subject))),
    extension(oid.subjectKeyIdentifier, der.octetString(keyIdentifier(keys.publicKey))),
    extension(oid.authorityKeyIdentifier, der.sequence(der.implicit(0, keyIdentifier(issuer.publicKey)))),
  ];
  const parts = {
    issuer: der.sequence(nameOf(commonNameOf(issuer))),
    subject: der.sequence(nameOf(subject.commonName)),
    publicKey: keys.publicKey,
    validity,
    extensions,
  };
  return { certificate: signed(parts, issuerKey), key: pemKey(keys.privateKey) };
}

interface Parts {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly validity: Validity;
  readonly extensions: readonly Buffer[];
}

function signed({ issuer, subject, publicKey, validity, extensions }: Parts, key: KeyObject): string {
  const algorithm = der.sequence(der.objectIdentifier(oid.ecdsaWithSha256));
  const keyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(serialOf(keyInfo)),
    algorithm,
    issuer,
    der.sequence(der.time(validity.from), der.time(validity.to)),
    subject,
    keyInfo,
    der.explicit(3, der.sequence(...extensions)),
  );
  const whole = der.sequence(body, algorithm, der.bitString(sign('sha256', body, key)));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** RFC 5280 4.1.2.2: unique, positive, at most 20 bytes. Each certificate has a key of its own. */
function serialOf(keyInfo: Uint8Array): Buffer {
  const serial = createHash('sha256').update(keyInfo).digest().subarray(0, 16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

/** RFC 5280 4.2.1.2 (1): the SHA-1 of the key's bits. It names, it protects nothing. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  // Of P-256 these are the last 65 bytes: 04, x, y.
  const bits = publicKey.export({ type: 'spki', format: 'der' }).subarray(-65);
  return createHash('sha1').update(bits).digest();
}

function extension(id: string, value: Uint8Array, isCritical = false): Buffer {
  const critical = isCritical ? [der.yes] : [];
  return der.sequence(der.objectIdentifier(id), ...critical, der.octetString(value));
}

function nameOf(commonName: string): Buffer {
  return der.setOfOne(der.sequence(der.objectIdentifier(oid.commonName), der.utf8String(commonName)));
}

/** The names here have one part. */
function commonNameOf({ subject }: X509Certificate): string {
  const name = /^CN=([^\n]+)$/.exec(subject)?.[1];
  if (name === undefined)
    throw new Error(`an authority of ours has a common name alone, this one is ${subject}`);
  return name;
}

/** RFC 5280 4.2.1.6: dNSName [2], uniformResourceIdentifier [6], iPAddress [7]. */
function alternatives({ uris, hosts }: Subject): Buffer[] {
  const named = uris.map((uri) => der.implicit(6, Buffer.from(uri, 'ascii')));
  return [
    ...named,
    ...hosts.map((host) => {
      const address = addressBytes(host);
      return address === undefined ? der.implicit(2, Buffer.from(host, 'ascii')) : der.implicit(7, address);
    }),
  ];
}

function addressBytes(host: string): Buffer | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return Buffer.from(host.split('.').map(Number));
  if (!host.includes(':')) return undefined;
  // The URL parser writes any form in the canonical one, without an IPv4 tail.
  const [head = '', tail] = new URL(`http://[${host}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const last = groups(tail ?? '');
  const zeros = Array.from({ length: 8 - groups(head).length - last.length }, () => '0');
  const all = [...groups(head), ...(tail === undefined ? [] : zeros), ...last];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function pemKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
