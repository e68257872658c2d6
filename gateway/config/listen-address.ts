/** HOST:PORT as people write it, and the one rule about it: passwords go in the clear over loopback only. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { OperatorError } from './operator-error.js';

export interface ListenAddress {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
}

/** The address in `text`, or undefined if it is none. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) return undefined;
  return match?.[1] !== undefined && isIP(host) !== 6 ? undefined : { host, port };
}

/** As it stands in a URL. */
export function formatListenAddress(address: ListenAddress): string {
  return `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

export const listenAddressSchema = z.string().transform((text, context) => {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  context.addIssue('must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080');
  return z.NEVER;
});

/** `how` tells how to protect it. @throws OperatorError usage: passwords would cross a network unprotected */
export function requireProtected(address: ListenAddress, isProtected: boolean, how: string): void {
  if (isProtected || isLoopback(address.host)) return;
  throw new OperatorError(
    'usage',
    `${formatListenAddress(address)} can be reached from other machines, and plain HTTP would carry ` +
      `passwords and files in the clear. ${how}`,
  );
}
