/** Dialling: a WebSocket for the link, HTTP beside it for bulk transfers, both under one credential. */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { Failure } from '../../interface/index.js';
import { ClientEnd, type ClientEndWorld } from '../link-client.js';
import { frameBytes, type DialOptions, type Link } from '../network.js';
import { linkPath, parseAddress } from './ws-network-address.js';
import { BulkClient } from './ws-network-bulk-client.js';
import { socketOptions, WebSocketWire } from './ws-network-wire.js';

/** @see Network.dial */
export async function dialWebSocket(
  address: string,
  options: DialOptions,
  world: ClientEndWorld,
): Promise<Link> {
  const { host, port, origin } = parseAddress(address, 'network.dial');
  const socket = new WebSocket(`${address.replace(/\/$/, '')}${linkPath}`, {
    ...socketOptions,
    maxPayload: frameBytes,
    followRedirects: false,
    headers: { authorization: `Bearer ${options.credential}` },
  });
  const wire = new WebSocketWire(socket, world.clock);
  const end = new ClientEnd(wire, `${host}:${port}`, options.onPush, world);
  socket.on('error', (error) => end.broken(error.message));
  socket.on('upgrade', (response) => {
    // Only when the WebSocket listens to the connection itself: else the first bytes would be ours alone.
    socket.on('open', () => wire.attach(end, response.socket as Socket));
  });
  socket.on('unexpected-response', (_request, response) => {
    response.destroy();
    end.refused(refusal(response.statusCode ?? 0, `${host}:${port}`));
  });

  const hello = await end.opened;
  const bulk = new BulkClient(origin, options.credential, world.clock);
  void end.closed.then((reason) => bulk.close(reason));
  return {
    hello,
    closed: end.closed,
    call: (name, argument, callOptions) => end.call(name, argument, callOptions),
    download: (path, start, signal) => bulk.download(path, start, signal),
    upload: (path, start, source, signal) => bulk.upload(path, start, source, signal),
    silence: () => end.silence(),
    close: () => end.close(),
  };
}

function refusal(status: number, peer: string): Failure {
  if (status === 401) {
    return new Failure('not-authenticated', 'network.dial', `${peer} does not accept the credential`);
  }
  if (status === 503) return new Failure('unreachable', 'network.dial', `${peer} has too many links`);
  const message = `${peer} is no server of a realm (HTTP status ${status}): check the address`;
  return new Failure('incompatible', 'network.dial', message);
}
