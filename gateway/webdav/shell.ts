/**
 * The outer shell: webdav-server's registry of methods and its request context. This file alone knows its
 * types.
 *
 * As shipped, webdav-server dies of requests (undecodable URLs, an If header, a missing Depth,
 * Content-Length), so no byte of a client reaches it: it is given a stand-in for the request that has only
 * the method, and one for the response that keeps nothing. What it does for us is to find the method and run
 * it.
 *
 * That costs 8 us a request, measured warm.
 *
 * SH-1  Every method is ours; its own are gone.
 * SH-2  Its constructor of contexts cannot throw: URL and headers of the stand-in are constants. (`depth`
 *       among them: it throws and catches an exception for every request without one.)
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import webdavServer from 'webdav-server';
import type { v2 } from 'webdav-server';
import { allow } from './options.js';
import type { Answer, Exchange, Method } from './exchange.js';

const { WebDAVServer, FileSystem, ResourceType, LocalLockManager, LocalPropertyManager, Errors } =
  webdavServer.v2;

/** One request on its way through the shell. */
class StandIn {
  readonly url = '/share';
  readonly headers = { host: 'localhost', depth: 'infinity', 'content-length': '0' };
  readonly method: string;
  readonly exchange: Exchange;
  readonly settle: (answer: Promise<Answer>) => void;

  constructor(exchange: Exchange, settle: (answer: Promise<Answer>) => void) {
    this.method = exchange.method;
    this.exchange = exchange;
    this.settle = settle;
  }
}

/** Takes the headers that the shell writes on its own (CORS for everybody among them) and forgets them. */
const nowhere = {
  on: () => nowhere,
  setHeader: () => nowhere,
  end: () => nowhere,
};

/** No tree: the methods have Venus. The shell asks only for the type of the resource. */
class NoFileSystem extends FileSystem {
  readonly #locks = new LocalLockManager();
  readonly #properties = new LocalPropertyManager();

  constructor() {
    super({ uid: () => 'none', serialize: (_, done) => done(), unserialize: (_, done) => done() });
  }

  protected override _type(
    _path: v2.Path,
    _context: v2.TypeInfo,
    done: v2.ReturnCallback<v2.ResourceType>,
  ): void {
    done(undefined, ResourceType.NoResource);
  }

  protected override _lockManager(
    _path: v2.Path,
    _context: v2.LockManagerInfo,
    done: v2.ReturnCallback<v2.ILockManager>,
  ): void {
    done(undefined, this.#locks);
  }

  protected override _propertyManager(
    _path: v2.Path,
    _context: v2.PropertyManagerInfo,
    done: v2.ReturnCallback<v2.IPropertyManager>,
  ): void {
    done(undefined, this.#properties);
  }
}

/** Runs the method of an exchange from `methods`; any other is answered 405 or 501 with Allow. */
export function createShell(methods: Readonly<Record<string, Method>>): Method {
  const server = new WebDAVServer({
    rootFileSystem: new NoFileSystem(),
    // The door has authenticated before (door.ts).
    httpAuthentication: { askForAuthentication: () => ({}), getUser: (_, done) => done(Errors.UserNotFound) },
    requireAuthentification: false,
    serverName: 'coda',
    version: '1',
  });
  for (const name of Object.keys(server.methods)) delete server.methods[name];
  for (const [name, method] of Object.entries(methods)) server.method(name, registered(method));
  server.onUnknownMethod(registered(unknownMethod));
  return (exchange) =>
    new Promise((resolve) => {
      const request = new StandIn(exchange, resolve);
      server.executeRequest(request as unknown as IncomingMessage, nowhere as unknown as ServerResponse);
    });
}

function registered(method: Method): v2.HTTPMethod {
  return {
    isValidFor: () => true,
    chunked: (_context, input) => {
      const request: unknown = input;
      if (!(request instanceof StandIn)) throw new Error('the shell was entered from outside');
      request.settle(method(request.exchange));
    },
  };
}

/**
 * RFC 7231 section 6.5.5 and 6.6.2: those of other WebDAV documents are known but not allowed; no other is
 * known.
 */
async function unknownMethod({ method }: Exchange): Promise<Answer> {
  const known =
    /^(POST|PATCH|TRACE|REPORT|SEARCH|ACL|BIND|REBIND|UNBIND|CHECKOUT|MERGE|MKACTIVITY|MKCALENDAR)$/;
  return {
    status: known.test(method) ? 405 : 501,
    headers: { Allow: allow, 'Content-Type': 'text/plain; charset=utf-8' },
    body: `${method} is not among the methods of this share\n`,
  };
}
