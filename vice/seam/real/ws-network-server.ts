/** Listening: one HTTP server for links (upgrades), bulk transfers and pages. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import {
  Failure,
  identityText,
  isFailure,
  maySpeakAs,
  type Peer,
  type ShownCertificate,
} from '../../interface/index.js';
import { addressInUse } from '../link-failure.js';
import { ServerEnd } from '../link-server.js';
import { frameBytes, type Listener, type Service, type Session } from '../network.js';
import { bearerOf, bulkPath, linkPath, parseAddress } from './ws-network-address.js';
import { serveBulk } from './ws-network-bulk-server.js';
import type { WsNetworkOptions } from './ws-network-options.js';
import { Refusals } from './ws-network-refusals.js';
import { refusalHeader, refusalLines, SecureServer } from './ws-network-secure-server.js';
import { socketOptions, WebSocketWire } from './ws-network-wire.js';

const listenerBounds = { links: 4096, transfers: 1024, headersMs: 10_000, keepAliveMs: 65_000 } as const;

/** @see Network.listen */
export async function listenWebSocket(
  address: string,
  service: Service,
  world: WsNetworkOptions,
): Promise<Listener> {
  const { secure, host, port } = parseAddress(address, 'network.listen');
  if (secure !== (world.certificates !== undefined)) {
    const message = secure
      ? 'wss:// needs certificates in the configuration, or a TLS proxy in front of the server: then listen on ws://'
      : 'with certificates the server listens on wss://';
    throw new Failure('invalid', 'network.listen', message);
  }
  const server = new LinkServer(service, world);
  const realPort = await server.listen(host, port);
  const name = host.includes(':') ? `[${host}]` : host;
  return { address: `${secure ? 'wss' : 'ws'}://${name}:${realPort}`, close: () => server.close() };
}

class LinkServer {
  readonly #service: Service;
  readonly #world: WsNetworkOptions;
  readonly #refusals: Refusals;
  readonly #secure: SecureServer | undefined;
  readonly #http: Server | HttpsServer;
  readonly #upgrades = new WebSocketServer({
    ...socketOptions,
    noServer: true,
    clientTracking: false,
    maxPayload: frameBytes,
  });
  readonly #links = new Map<ServerEnd, WebSocket>();
  #sessions = 0;
  #transfers = 0;

  constructor(service: Service, world: WsNetworkOptions) {
    this.#service = service;
    this.#world = world;
    this.#refusals = new Refusals(world);
    // No limit on a whole request: uploads are long. Transfers have their idle timeout, headers this one.
    const options = {
      requestTimeout: 0,
      headersTimeout: listenerBounds.headersMs,
      keepAliveTimeout: listenerBounds.keepAliveMs,
      noDelay: true,
      highWaterMark: 256 * 1024,
    };
    const { certificates } = world;
    const { realm } = service.hello;
    this.#secure =
      certificates === undefined
        ? undefined
        : new SecureServer(options, { ...world, certificates, refusals: this.#refusals, realm });
    this.#http = this.#secure?.http ?? createServer(options);
    this.#http.on('request', (request, response) => void this.#answer(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** The port listened on. @throws Failure invalid */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') return reject(addressInUse(host, port, error));
        const why = error.code ?? error.message;
        const message = `cannot listen on ${host}:${port} (${why}): configure an address of this machine`;
        reject(new Failure('invalid', 'network.listen', message, { cause: error }));
      });
      this.#http.listen(port, host, () => {
        this.#http.removeAllListeners('error');
        this.#http.on('error', (error) => this.#world.log.error('listener failed', { error }));
        resolve((this.#http.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#http.close(() => resolve());
      for (const [end, socket] of this.#links) {
        end.close('the server is closing');
        socket.terminate();
      }
      this.#http.closeAllConnections();
      this.#secure?.close();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    if (request.url !== linkPath) return refuseUpgrade(socket, '404 Not Found');
    let peer: Peer;
    try {
      peer = this.#peerOf(request, 'network.dial');
    } catch (error) {
      if (!isFailure(error)) throw error;
      return refuseUpgrade(socket, '401 Unauthorized', error.message);
    }
    if (this.#links.size >= listenerBounds.links || !this.#http.listening) {
      return refuseUpgrade(socket, '503 Service Unavailable');
    }
    this.#upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      const shown = this.#secure?.certified(request.socket);
      this.#open(webSocket, socket as Socket, { peer, shown });
    });
  }

  #open(webSocket: WebSocket, socket: Socket, who: Pick<Session, 'peer' | 'shown'>): void {
    this.#sessions += 1;
    const wire = new WebSocketWire(webSocket, this.#world.clock);
    const end = new ServerEnd(this.#sessions, who, wire, this.#service, this.#world);
    this.#links.set(end, webSocket);
    webSocket.once('close', () => this.#links.delete(end));
    wire.attach(end, socket);
  }

  /** Who asks: whom the credential proves, if the certificate is theirs. @throws Failure not-authenticated */
  #peerOf(request: IncomingMessage, operation: string): Peer {
    const credential = bearerOf(request.headers.authorization);
    const peer = credential === undefined ? undefined : this.#service.authenticate(credential);
    const shown = this.#secure?.certified(request.socket);
    if (peer === undefined) throw this.#refused(request, operation, unproved(shown));
    if (this.#secure === undefined) return peer;
    const reason = this.#faultOf(peer, shown);
    if (reason === undefined) return peer;
    throw this.#refused(request, operation, reason);
  }

  #refused(request: IncomingMessage, operation: string, reason: string): Failure {
    this.#refusals.tell(request.socket.remoteAddress, reason);
    return new Failure('not-authenticated', operation, reason);
  }

  /** Why `shown` is not the certificate to speak as `peer` with. */
  #faultOf(peer: Peer, shown: ShownCertificate | undefined): string | undefined {
    if (shown === undefined) return `it calls as ${peer.role} ${peer.name}, but shows no certificate`;
    if (!maySpeakAs(shown, peer)) {
      return `it calls as ${peer.role} ${peer.name}, but its certificate is that of ${identityText(shown)}`;
    }
    return this.#revocation(shown);
  }

  #revocation(shown: ShownCertificate): string | undefined {
    const fault = this.#service.refuses?.(shown);
    return fault && `${fault} (it says ${identityText(shown)})`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    if (request.url?.startsWith(bulkPath) === true) {
      const isFull = this.#transfers >= listenerBounds.transfers;
      this.#transfers += 1;
      const peerOf = this.#peerOf.bind(this);
      await serveBulk(request, response, { ...this.#world, service: this.#service, peerOf, isFull });
      this.#transfers -= 1;
      return;
    }
    const shown = this.#secure?.certified(request.socket);
    const fault = shown && this.#revocation(shown);
    if (fault !== undefined) {
      this.#refusals.tell(request.socket.remoteAddress, fault);
      response.writeHead(401, { [refusalHeader]: fault, connection: 'close' }).end();
      return;
    }
    try {
      await this.#answerPage(request, response);
    } catch (error) {
      this.#world.log.error('page failed', { path: request.url, error });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }

  async #answerPage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET') {
      response.writeHead(405, { connection: 'close' }).end();
      return;
    }
    const page = await this.#service.page?.(request.url ?? '/');
    if (page === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': page.type }).end(page.body);
  }
}

function unproved(shown: ShownCertificate | undefined): string {
  const who = shown === undefined ? '' : ` (it says ${identityText(shown)})`;
  const how = 'compare its realm.key and its clock with those of this server';
  return `it does not prove itself with a realm key that counts here${who}: ${how}`;
}

/** Before the upgrade: whoever is refused costs no WebSocket. */
function refuseUpgrade(socket: Duplex, status: string, reason?: string): void {
  const lines = reason === undefined ? 'Connection: close\r\nContent-Length: 0\r\n' : refusalLines(reason);
  const head = `HTTP/1.1 ${status}\r\n${lines}\r\n`;
  socket.end(head, () => socket.destroy());
}
