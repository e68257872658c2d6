/** What a network of sockets is made with. */
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { Certificates } from './realm-certificates.js';

export interface WsNetworkOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** With them all links are TLS 1.3 with certificates on both sides; without, a credential is all. */
  readonly certificates?: Certificates | undefined;
}
