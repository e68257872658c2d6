/**
 * The HTTP host of the WebDAV door: node's server with its limits, Koa on it, the share behind Koa.
 *
 * Koa hands a DAV request over whole (`ctx.respond = false`); it answers the operator's pages itself. Those
 * are at /metrics and /healthz only where no file of the share can have these names, and always below
 * /.coda/. The rest of /.coda/ is a folder of the share (coda-folder.ts).
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import { Counter, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import { basicAuthentication, type Authenticate } from '../access/basic-authentication.js';
import type { Doorkeeper } from '../access/doorkeeper.js';
import { CodaFolder } from './coda-folder.js';
import { createDoor, type Door } from './door.js';
import type { Share } from './exchange.js';
import { methods } from './methods.js';
import { createShell } from './shell.js';

/** Milliseconds. A request as a whole has no limit: uploads take as long as they take. */
const usualIdleMs = 120_000;
const headerMs = 60_000;
const maxHeaderBytes = 16 * 1024;
/** Milliseconds that requests under way have to end when the host closes. */
const closingMs = 10_000;

export interface WebdavAppOptions {
  readonly share: Share;
  readonly authenticate: Authenticate;
  readonly registry?: Registry;
  /** Milliseconds after which a connection on which nothing moves is cut. */
  readonly idleMs?: number;
  /** Further pages, asked before the share. */
  readonly middleware?: readonly Koa.Middleware[];
}

export interface WebdavOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM texts. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly share: Share;
  readonly users: Doorkeeper;
  /** How many logins are verified at once; one by default. */
  readonly loginsAtOnce?: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly registry?: Registry;
  /** See WebdavAppOptions. */
  readonly idleMs?: number;
  readonly middleware?: readonly Koa.Middleware[];
}

export interface RunningWebdav {
  /** Of the share's root, with the real port, as `http://127.0.0.1:8080/`. */
  readonly url: string;
  /** Takes no more connections, lets requests under way end, then cuts what is left. */
  close(): Promise<void>;
}

/** The share as handlers of node's server events. */
export interface WebdavApp {
  readonly onRequest: http.RequestListener;
  /** For requests with `Expect: 100-continue`. */
  readonly onCheckContinue: http.RequestListener;
  /** For sockets on which nothing came or went for a while. */
  readonly onTimeout: (socket: Socket) => void;
  /** Ends what would go on for ever. */
  close(): void;
}

export function createWebdavApp(options: WebdavAppOptions): WebdavApp {
  const { authenticate, registry = new Registry() } = options;
  const { venus, clock } = options.share;
  let isClosing = false;
  const share = { ...options.share, venus: new CodaFolder(venus, clock), isClosing: () => isClosing };
  const { idleMs = usualIdleMs } = options;
  const working = new WeakMap<Socket, http.IncomingMessage>();
  const awaitingContinue = new WeakSet<http.IncomingMessage>();
  const onWork = (request: http.IncomingMessage, isWorking: boolean): void => {
    if (isWorking) working.set(request.socket, request);
    else working.delete(request.socket);
  };
  const dispatch = createShell(methods);
  const door = createDoor({ share, authenticate, dispatch, onWork, onAnswer: measured(registry) });

  const app = new Koa();
  app.on('error', (error: unknown) => {
    // Koa also reports every connection that breaks.
    const broken = error instanceof Error && 'code' in error;
    share.log[broken ? 'debug' : 'error']('host failed', { error: String(error) });
  });
  app.use(operatorPages(share, registry));
  for (const middleware of options.middleware ?? []) app.use(middleware);
  app.use((ctx) => handOver(ctx, door, awaitingContinue.has(ctx.req)));
  const onRequest = app.callback();
  return {
    close: () => {
      isClosing = true;
    },
    onRequest: (request, response) => void onRequest(request, response),
    onCheckContinue: (request, response) => {
      awaitingContinue.add(request);
      void onRequest(request, response);
    },
    onTimeout: (socket) => {
      const request = working.get(socket);
      // While a method works on what has come, a large COPY for example, it is not the client that is idle.
      const isOurs = request !== undefined && (request.complete || request.readableLength > 0);
      if (isOurs) socket.setTimeout(idleMs);
      else socket.destroy();
    },
  };
}

/** @throws Error of node's server when the address cannot be used */
export async function startWebdav(options: WebdavOptions): Promise<RunningWebdav> {
  const { listen, tls, share, users, log, clock, idleMs = usualIdleMs } = options;
  const atOnce = options.loginsAtOnce ?? 1;
  const authenticate = basicAuthentication({ users, clock, random: share.random, log, atOnce });
  const app = createWebdavApp({ ...options, authenticate });
  const limits = {
    requestTimeout: 0,
    headersTimeout: headerMs,
    keepAliveTimeout: idleMs,
    maxHeaderSize: maxHeaderBytes,
  };
  const server =
    tls === undefined
      ? http.createServer({ ...limits, noDelay: true })
      : https.createServer({ ...limits, noDelay: true, ...tls, minVersion: 'TLSv1.2' });
  server.on('request', app.onRequest).on('checkContinue', app.onCheckContinue);
  server.setTimeout(idleMs, app.onTimeout);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(listen.port, listen.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error('listening failed', { error: error.message }));
  return {
    url: urlOf(server.address() as AddressInfo, listen.host, tls !== undefined, share.prefix),
    close: () => {
      app.close();
      return closed(server, clock);
    },
  };
}

async function handOver(ctx: Koa.Context, door: Door, expectsContinue: boolean): Promise<void> {
  ctx.respond = false;
  // Koa presets 404.
  ctx.res.statusCode = 200;
  await door({ request: ctx.req, response: ctx.res, expectsContinue });
}

function operatorPages(share: Share, registry: Registry): Koa.Middleware {
  const router = new Router();
  const places = share.prefix === '' ? ['/.coda'] : ['/.coda', ''];
  for (const place of places) {
    router.get(`${place}/healthz`, (ctx) => {
      ctx.body = 'ok\n';
    });
    router.get(`${place}/metrics`, async (ctx) => {
      ctx.type = registry.contentType;
      ctx.body = await registry.metrics();
    });
  }
  const pages = router.routes();
  // The router's matching costs more than the rest of Koa: only what can be a page goes through it.
  return (ctx, next) =>
    /^\/[^?#]*(healthz|metrics)(\?|$)/.test(ctx.req.url ?? '') ? pages(ctx as never, next) : next();
}

function measured(registry: Registry): (method: string, status: number, seconds: number) => void {
  const labelNames = ['method', 'status'];
  const requests = new Counter({
    name: 'coda_webdav_requests_total',
    help: 'WebDAV requests answered',
    labelNames,
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'coda_webdav_request_seconds',
    help: 'Seconds from the head of a request to the end of its answer',
    labelNames: ['method'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  return (method, status, seconds) => {
    requests.inc({ method, status: String(status) });
    durations.observe({ method }, seconds);
  };
}

function urlOf(address: AddressInfo, host: string, isTls: boolean, prefix: string): string {
  const everywhere = host === '0.0.0.0' || host === '::' || host === '';
  const shown = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `${isTls ? 'https' : 'http'}://${shown}:${address.port}${prefix}/`;
}

async function closed(server: http.Server | https.Server, clock: Clock): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = clock.after(closingMs, () => server.closeAllConnections());
  await ended;
  timer.cancel();
}
