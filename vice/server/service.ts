/** The server's end of the network: who may come in, which handler a call goes to, what is counted. */
import type { z } from 'zod';
import {
  calls,
  Failure,
  isFailure,
  protocolVersion,
  revocationFault,
  type Argument,
  type CallName,
  type Peer,
} from '../interface/index.js';
import { checkCall, checkUpload } from '../protection/session-rights.js';
import type { Service, Session } from '../seam/network.js';
import { administering } from './administering.js';
import type { Handlers, ServerContext } from './context.js';
import { basing, receiveDifference, type Upload } from './differences.js';
import { openDownload } from './downloads.js';
import { dumping } from './dumping.js';
import { keepingPeople } from './keeping-people.js';
import { loggingIn } from './logging-in.js';
import { offering } from './offering.js';
import { operating } from './operating.js';
import { promising } from './promising.js';
import { reading } from './reading.js';
import { pushRealm } from './realm-push.js';
import { snapshotting } from './snapshotting.js';
import { updating } from './updating.js';

const handlers: Handlers<CallName> = {
  ...administering,
  ...basing,
  ...dumping,
  ...keepingPeople,
  ...loggingIn,
  ...offering,
  ...operating,
  ...promising,
  ...reading,
  ...snapshotting,
  ...updating,
};

/** `sessions` is the map of the context, filled here. */
export function viceService(context: ServerContext, sessions: Map<number, Session>): Service {
  const { realm } = context.location.current;
  const { log } = context.world;
  return {
    hello: { protocol: protocolVersion, server: context.name, realm },
    refuses: (shown) => revocationFault(context.location.current.revoked, shown),
    authenticate: (credential) => context.keys.authenticate(credential),
    opened(session) {
      sessions.set(session.id, session);
      log.info('session opened', { session: session.id, ...session.peer });
      pushRealm(session, context.location.current);
    },
    closed(session) {
      sessions.delete(session.id);
      context.promises.end(session);
      context.logins.end(session);
      log.info('session closed', { session: session.id, ...session.peer });
    },
    async call(session, name, argument) {
      if (!isCallName(name)) {
        throw new Failure('incompatible', 'vice.call', `this server knows no call ${name}`);
      }
      return counted(context, name, () => dispatch(context, session, name, argument));
    },
    download: (peer, path, start) =>
      counted(context, 'download', async () =>
        metered(context, 'out', await openDownload(context, peer, path, start)),
      ),
    upload: (peer, path, start, source) =>
      counted(context, 'upload', async () => {
        checkUpload(peer);
        await takeUpload(context, peer, { path, start, source: metered(context, 'in', source) });
      }),
    page: (path) => page(context, path),
  };
}

/** @throws Failure invalid (nothing takes it, or at another byte), not-found (what it builds on), busy, no-space */
async function takeUpload(context: ServerContext, peer: Peer, upload: Upload): Promise<void> {
  const id = /^staging\/([^/]+)$/.exec(upload.path)?.[1];
  if (id !== undefined) return context.staging.receive(peer.name, id, upload.start, upload.source);
  if (peer.role === 'gateway' && (await receiveDifference(context, peer, upload))) return;
  throw new Failure('invalid', 'vice.upload', `nothing takes an upload at ${upload.path}`);
}

/** `source`, counted as it passes. Left before it was begun, it is closed all the same: containers stay open else. */
function metered(
  { metrics }: ServerContext,
  direction: 'in' | 'out',
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const chunks = source[Symbol.asyncIterator]();
      return {
        async next() {
          const next = await chunks.next();
          if (next.done !== true) metrics.transferred(direction, next.value.length);
          return next;
        },
        async return() {
          await chunks.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function isCallName(name: string): name is CallName {
  return Object.hasOwn(calls, name);
}

async function dispatch<C extends CallName>(
  context: ServerContext,
  session: Session,
  name: C,
  argument: unknown,
): Promise<unknown> {
  context.denials.watched(session, name, () => checkCall(session.peer, name));
  const schema: z.ZodType = calls[name].argument;
  const parsed = schema.safeParse(argument);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Failure('invalid', `vice.${name}`, `${name}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  if (session.peer.role !== 'gateway') return handlers[name](context, session, parsed.data as Argument<C>);
  context.foreground.calls += 1;
  try {
    return await handlers[name](context, session, parsed.data as Argument<C>);
  } finally {
    context.foreground.calls -= 1;
  }
}

async function counted<T>(context: ServerContext, name: string, work: () => Promise<T>): Promise<T> {
  const { clock } = context.world;
  const started = clock.monotonic();
  let outcome = 'ok';
  try {
    return await work();
  } catch (error) {
    outcome = isFailure(error) ? error.kind : 'error';
    throw error;
  } finally {
    context.metrics.called(name, outcome, (clock.monotonic() - started) / 1000);
  }
}

async function page(
  context: ServerContext,
  path: string,
): Promise<{ readonly type: string; readonly body: string } | undefined> {
  switch (path) {
    case '/metrics':
      return context.metrics.text();
    case '/healthz': {
      const health = { server: context.name, realmVersion: context.location.current.version };
      return { type: 'application/json', body: JSON.stringify(health) };
    }
    default:
      return undefined;
  }
}
