/** Addresses of the realm as sockets and HTTP want them. */
import { Failure } from '../../interface/index.js';

export interface SocketAddress {
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
}

/** `ws://host:port` or `wss://host:port`, without a path. @throws Failure invalid */
export function parseAddress(address: string, operation: string): SocketAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const secure = url?.protocol === 'wss:';
  if (url === undefined || (!secure && url.protocol !== 'ws:') || url.pathname !== '/' || url.search !== '') {
    throw new Failure('invalid', operation, `"${address}" is no address: write ws://host:port`);
  }
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    origin: `${secure ? 'https' : 'http'}://${url.host}`,
  };
}

/** Where links are opened on a server, beside /bulk/ and the service's pages. */
export const linkPath = '/link';
export const bulkPath = '/bulk/';

/** The request target of a bulk transfer; any string may be a path. */
export function bulkTarget(path: string, start: number): string {
  return `${bulkPath}${path.split('/').map(encodeURIComponent).join('/')}?start=${start}`;
}

export interface BulkTarget {
  readonly path: string;
  readonly start: number;
}

/** The reverse of bulkTarget, or undefined if `target` is none. */
export function parseBulkTarget(target: string): BulkTarget | undefined {
  const match = /^\/bulk\/([^?#]+)\?start=([0-9]{1,15})$/.exec(target);
  if (match === null) return undefined;
  try {
    return { path: (match[1] ?? '').split('/').map(decodeURIComponent).join('/'), start: Number(match[2]) };
  } catch {
    return undefined;
  }
}

/** The bearer token of an Authorization header. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer ([\x21-\x7e]+)$/i.exec(header ?? '')?.[1];
}
