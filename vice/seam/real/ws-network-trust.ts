/**
 * Whom a connection trusts: who dials wants the server that it means, who listens wants somebody of its realm, each by
 * a certificate of the realm's authority (TLS 1.3, both sides). Refusals are told in words, on both sides.
 */
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { identityIn, identityText, type ShownCertificate } from '../../interface/index.js';
import type { DialOptions } from '../network.js';
import type { CertificateSet } from './realm-certificates.js';

/** Options of tls.connect. `server`: by name; undefined: any server of the realm. */
export function dialTrust(
  own: CertificateSet,
  { server, refuses }: Pick<DialOptions, 'server' | 'refuses'>,
): ConnectionOptions {
  return {
    cert: own.certificate,
    key: own.key,
    ca: own.authority,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) =>
      serverFault(own.identity.realm, server, certificate, refuses),
  };
}

/** The server that was dialled is another one. */
class WrongServer extends Error {
  override readonly name = 'WrongServer';
}

function serverFault(
  realm: string,
  server: string | undefined,
  shown: PeerCertificate,
  refuses: DialOptions['refuses'],
): Error | undefined {
  const identity = identityIn(shown.subjectaltname);
  if (identity === undefined) return new WrongServer('its certificate names no server of a realm');
  if (identity.realm !== realm) {
    return new WrongServer(`its certificate is of another realm (${identity.realm}, not ${realm})`);
  }
  if (identity.role === 'server' && (server === undefined || identity.name === server)) {
    const fault = refuses?.({ ...identity, validFrom: Date.parse(shown.valid_from) });
    return fault === undefined ? undefined : new WrongServer(fault);
  }
  const wanted = server === undefined ? 'a server' : `server ${server}`;
  return new WrongServer(`its certificate is that of ${identityText(identity)}, not of ${wanted}`);
}

/** What OpenSSL found wrong with a certificate, in words; undefined: `error` is about something else. */
export function trustFault(error: NodeJS.ErrnoException): string | undefined {
  if (error instanceof WrongServer) return error.message;
  return certificateFault(error.code ?? '');
}

function certificateFault(code: string): string | undefined {
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet: compare the clocks';
  if (code === 'INVALID_PURPOSE') return 'its certificate is for another purpose';
  const isForeign =
    /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA|ISSUER_|AKID_|SUBJECT_ISSUER_|PATH_LENGTH_|NO_EXPLICIT)/;
  return isForeign.test(code) ? `its certificate is not of the authority of this realm (${code})` : undefined;
}

/** Whether `error` says that the other side does not speak TLS 1.3. */
export function isProtocolFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_');
}

/** Who is at the other end of a connection that was accepted, or in words why it is nobody of `realm`. */
export function judgePeer(socket: TLSSocket, realm: string, now: number): ShownCertificate | string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return 'it shows no certificate';
  const identity = identityIn(certificate.subjectAltName);
  const who = identity === undefined ? '' : ` (it says ${identityText(identity)})`;
  if (!socket.authorized) {
    // Node types an Error; it is the code.
    const code = String(socket.authorizationError);
    return `${certificateFault(code) ?? `its certificate is not accepted (${code})`}${who}`;
  }
  // A session that is taken up again was checked when it began.
  if (now > Date.parse(certificate.validTo)) return `its certificate has expired${who}`;
  if (identity === undefined) return 'its certificate names nobody of a realm';
  if (identity.realm !== realm)
    return `its certificate is of another realm (${identity.realm}, not ${realm})`;
  return { ...identity, validFrom: Date.parse(certificate.validFrom) };
}

/** The certificate of the server at the other end of a connection that was dialled, judged already. */
export function shownBy(socket: TLSSocket): ShownCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  const identity = identityIn(certificate?.subjectAltName);
  if (certificate === undefined || identity === undefined) return undefined;
  return { ...identity, validFrom: Date.parse(certificate.validFrom) };
}
