/**
 * The network of sockets: WebSocket links and HTTP bulk transfers on one port.
 *
 * What travels on a link (frames, calls, beats) is said in vice/seam/link-*; the ws-network-* files carry it.
 */
import type { Network } from '../network.js';
import { dialWebSocket } from './ws-network-client.js';
import type { WsNetworkOptions } from './ws-network-options.js';
import { listenWebSocket } from './ws-network-server.js';

/** @see Network */
export function wsNetwork(options: WsNetworkOptions): Network {
  return {
    dial: (address, dialOptions) => dialWebSocket(address, dialOptions, options),
    listen: (address, service) => listenWebSocket(address, service, options),
  };
}
