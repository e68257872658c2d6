/** Dialling: a WebSocket for the link, HTTP beside it for bulk transfers, both under one credential. */
import type { Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { Failure, type ShownCertificate } from '../../interface/index.js';
import { ClientEnd } from '../link-client.js';
import { frameBytes, type DialOptions, type Link } from '../network.js';
import { linkPath, parseAddress } from './ws-network-address.js';
import { BulkClient } from './ws-network-bulk-client.js';
import type { WsNetworkOptions } from './ws-network-options.js';
import { refusalHeader } from './ws-network-secure-server.js';
import { dialTrust, isProtocolFault, shownBy, trustFault } from './ws-network-trust.js';
import { socketOptions, WebSocketWire } from './ws-network-wire.js';

/** @see Network.dial */
export async function dialWebSocket(
  address: string,
  options: DialOptions,
  world: WsNetworkOptions,
): Promise<Link> {
  const { secure, host, port, origin } = parseAddress(address, 'network.dial');
  const { certificates } = world;
  if (certificates !== undefined && !secure) {
    // Never weaker than agreed, whatever a document says.
    const message = `${address} is an address without TLS: in a realm with certificates addresses are wss://`;
    throw new Failure('invalid', 'network.dial', message);
  }
  const trust = (): ConnectionOptions =>
    certificates === undefined ? {} : dialTrust(certificates.current(), options);
  const socket = new WebSocket(`${address.replace(/\/$/, '')}${linkPath}`, {
    ...socketOptions,
    ...trust(),
    maxPayload: frameBytes,
    followRedirects: false,
    headers: { authorization: `Bearer ${options.credential()}` },
  });
  const wire = new WebSocketWire(socket, world.clock);
  const end = new ClientEnd(wire, `${host}:${port}`, options.onPush, world);
  socket.on('error', (error) => {
    const failure = secure ? distrust(error, `${host}:${port}`) : undefined;
    if (failure === undefined) end.broken(error.message);
    else end.refused(failure);
  });
  let shown: ShownCertificate | undefined;
  socket.on('upgrade', (response) => {
    if (secure) shown = shownBy(response.socket as TLSSocket);
    // Only when the WebSocket listens to the connection itself: else the first bytes would be ours alone.
    socket.on('open', () => wire.attach(end, response.socket as Socket));
  });
  socket.on('unexpected-response', (_request, response) => {
    response.destroy();
    const reason = response.headers[refusalHeader];
    end.refused(refusal(response.statusCode ?? 0, `${host}:${port}`, reason));
  });

  const hello = await end.opened;
  const bulk = new BulkClient(origin, options.credential, world.clock, trust);
  void end.closed.then((reason) => bulk.close(reason));
  return {
    hello,
    shown,
    closed: end.closed,
    call: (name, argument, callOptions) => end.call(name, argument, callOptions),
    download: (path, start, signal) => bulk.download(path, start, signal),
    upload: (path, start, source, signal) => bulk.upload(path, start, source, signal),
    silence: () => end.silence(),
    close: () => end.close(),
  };
}

/** Why the server at `peer` is not to be trusted; undefined: the connection broke for another reason. */
function distrust(error: NodeJS.ErrnoException, peer: string): Failure | undefined {
  const fault = trustFault(error);
  if (fault !== undefined) {
    const message = `${peer} is not the server that it should be: ${fault}`;
    return new Failure('not-authenticated', 'network.dial', message, { cause: error });
  }
  if (!isProtocolFault(error)) return undefined;
  const message = `${peer} does not speak TLS 1.3 (${error.code ?? ''}): check the address, and its configuration`;
  return new Failure('incompatible', 'network.dial', message, { cause: error });
}

function refusal(status: number, peer: string, reason: string | string[] | undefined): Failure {
  if (status === 401) {
    const why =
      reason === undefined ? 'does not accept the credential' : `refuses this side: ${String(reason)}`;
    return new Failure('not-authenticated', 'network.dial', `${peer} ${why}`);
  }
  if (status === 503) return new Failure('unreachable', 'network.dial', `${peer} has too many links`);
  const message = `${peer} is no server of a realm (HTTP status ${status}): check the address`;
  return new Failure('incompatible', 'network.dial', message);
}
