/** Listening with a certificate: an HTTPS server that lets in who has one of the same realm, and nobody else. */
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ShownCertificate } from '../../interface/index.js';
import type { Clock, Timer } from '../clock.js';
import type { Log } from '../log.js';
import type { Certificates, CertificateSet } from './realm-certificates.js';
import type { Refusals } from './ws-network-refusals.js';
import { isProtocolFault, judgePeer } from './ws-network-trust.js';

/** The header in which a refusal says why. */
export const refusalHeader = 'x-refused';

/** How often the files are looked at while nobody dials. */
const lookMs = 1000;
const handshakeMs = 10_000;
/** After a refusal what still comes is read away this long, so that the refusal is not lost to a reset. */
const lingerMs = 1000;
const leftAtOnce = 'it left without a word when it had seen the certificate shown here: it may not accept it';

export interface SecureWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly certificates: Certificates;
  readonly refusals: Refusals;
  /** The realm of whoever may come in. */
  readonly realm: string;
}

interface Accepted {
  readonly shown: ShownCertificate;
  asked: boolean;
}

interface Connection {
  readonly socket: Socket;
  /** The handshake is over, well or with a reason that was told. */
  isJudged: boolean;
}

export class SecureServer {
  readonly http: Server;
  readonly #world: SecureWorld;
  readonly #accepted = new WeakMap<object, Accepted>();
  /** By remote address and port. */
  readonly #open = new Map<string, Connection>();
  #used: CertificateSet;
  #timer: Timer;

  constructor(options: ServerOptions, world: SecureWorld) {
    this.#world = world;
    this.#used = world.certificates.current();
    this.http = createServer({
      ...options,
      ...contextOf(this.#used),
      minVersion: 'TLSv1.3',
      handshakeTimeout: handshakeMs,
      requestCert: true,
      // Judged below: whoever is refused shall be told why, and so shall the log.
      rejectUnauthorized: false,
    });
    const serve = this.http.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
    this.http.removeAllListeners('secureConnection');
    this.http.on('secureConnection', (socket) => {
      if (this.#letIn(socket)) for (const each of serve) each.call(this.http, socket);
    });
    this.http.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    this.http.on('connection', (socket: Socket) => this.#began(socket));
    this.#timer = this.#watch();
  }

  /** The certificate that the other end of `socket` has shown; it has asked for something now. */
  certified(socket: object): ShownCertificate | undefined {
    const accepted = this.#accepted.get(socket);
    if (accepted !== undefined) accepted.asked = true;
    return accepted?.shown;
  }

  /** Everything that is still open: also handshakes that stand still. */
  close(): void {
    this.#timer.cancel();
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  #watch(): Timer {
    return this.#world.clock.after(lookMs, () => {
      const next = this.#world.certificates.current();
      if (next !== this.#used) {
        this.#used = next;
        this.http.setSecureContext({ ...contextOf(next), minVersion: 'TLSv1.3' });
      }
      this.#timer = this.#watch();
    });
  }

  #began(socket: Socket): void {
    const connection = { socket, isJudged: false };
    const [remote, place] = [socket.remoteAddress, placeOf(socket)];
    this.#open.set(place, connection);
    socket.once('close', () => {
      if (this.#open.get(place) === connection) this.#open.delete(place);
      // Something was said, and shown to it: no mere look whether the port is open.
      if (!connection.isJudged && socket.bytesRead > 0) this.#world.refusals.tell(remote, leftAtOnce);
    });
  }

  #judged(socket: TLSSocket): void {
    const connection = this.#open.get(placeOf(socket));
    if (connection !== undefined) connection.isJudged = true;
  }

  #letIn(socket: TLSSocket): boolean {
    socket.on('error', () => socket.destroy());
    this.#judged(socket);
    const { clock, realm } = this.#world;
    const judged = judgePeer(socket, realm, clock.wall());
    const remote = socket.remoteAddress;
    if (typeof judged === 'string') {
      this.#world.refusals.tell(remote, judged);
      socket.end(`HTTP/1.1 401 Unauthorized\r\n${refusalLines(judged)}\r\n`);
      socket.resume();
      const timer = clock.after(lingerMs, () => socket.destroy());
      socket.once('close', () => timer.cancel());
      return false;
    }
    const accepted: Accepted = { shown: judged, asked: false };
    this.#accepted.set(socket, accepted);
    socket.once('close', () => {
      // Who dials judges this side when the handshake is over here, too: silence is all that is seen of a refusal.
      if (!accepted.asked) {
        const reason =
          'it left without a word after the handshake: it may not accept the certificate shown here';
        this.#world.refusals.tell(remote, `${judged.role} ${judged.name}: ${reason}`);
      }
    });
    return true;
  }

  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const reason = handshakeFault(error);
    if (reason === undefined)
      return this.#world.log.debug('handshake not finished', { reason: error.message });
    this.#judged(socket);
    this.#world.refusals.tell(socket.remoteAddress, reason);
  }
}

function handshakeFault(error: NodeJS.ErrnoException): string | undefined {
  const { code = '' } = error;
  if (code === 'ERR_SSL_HTTP_REQUEST') return 'it speaks plain HTTP';
  if (/ALERT_(?:CERTIFICATE|UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERT)/.test(code)) {
    return `it does not accept the certificate shown here (${code})`;
  }
  return isProtocolFault(error) ? `it does not speak TLS 1.3 (${code})` : undefined;
}

function placeOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function contextOf({ certificate, key, authority }: CertificateSet): {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
} {
  return { cert: certificate, key, ca: authority };
}

/** Lines of the head of a refusal. */
export function refusalLines(reason: string): string {
  const plain = reason.replace(/[^ -~]/g, '?').slice(0, 400);
  return `${refusalHeader}: ${plain}\r\nConnection: close\r\nContent-Length: 0\r\n`;
}
