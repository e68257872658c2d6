/** Calls about the server itself: `locate`, `prove`, `resolve`, `scrub`, `report`, `audit`. */
import { Failure } from '../interface/index.js';
import type { Handlers, ServerContext } from './context.js';
import type { Replica } from '../volume/replica.js';

export const operating: Handlers<'locate' | 'prove' | 'resolve' | 'scrub' | 'report' | 'audit'> = {
  async audit({ audit }, _session, { after, limit }) {
    return audit.page(after, limit);
  },

  async locate(context) {
    return mutableCopy(context.location.current);
  },

  async prove({ keys, world }, session, { credential }) {
    if (!keys.prove(session, credential)) {
      throw new Failure('not-authenticated', 'vice.prove', 'this realm key does not count here');
    }
    world.log.info('proved again', { session: session.id, ...session.peer });
    return {};
  },

  async resolve(context, session, { volume, fids }) {
    const replica = context.volumes.required(volume);
    context.world.log.debug('asked to resolve', { volume, by: session.peer.name, fids: fids?.length });
    return context.resolver.resolve(replica, fids);
  },

  async scrub(context, session, { start }) {
    if (start) {
      context.world.log.info('asked to scrub', { by: session.peer.name });
      context.scrubber.begin();
    }
    return mutableCopy(context.scrubber.report());
  },

  async report(context) {
    const { name, location, world } = context;
    const volumes: Record<string, unknown> = {};
    for (const replica of context.volumes.all()) {
      volumes[replica.volume] = await volumeReport(context, replica);
    }
    return {
      server: name,
      realm: { id: location.current.realm, name: location.current.name, version: location.current.version },
      keys: {
        marks: context.keys.marks,
        older: [...context.sessions.values()]
          .filter((each) => context.keys.isOlder(each))
          .map(({ peer }) => peer),
      },
      sessions: [...context.sessions.values()].map(({ id, peer }) => ({ id, ...peer })),
      links: location.current.servers
        .filter((server) => server.name !== name)
        .map((server) => ({ ...server, linked: context.links.linked(server.name) !== undefined })),
      stagedBytes: context.staging.bytes,
      waiting: context.steward.waiting(),
      spaceBytes: await world.containers.space(),
      volumes,
    };
  },
};

async function volumeReport(context: ServerContext, replica: Replica): Promise<Record<string, unknown>> {
  const { id, incarnation, stamp, group, volume, standing, objects } = replica;
  return {
    replica: id,
    incarnation,
    stamp,
    group,
    standing,
    objects,
    watchers: context.promises.watchers(volume),
    conflicts: replica.conflictCount(),
    ...context.resolver.report(volume),
    ...(await replica.space()),
  };
}

/** For a reply. */
export function mutableCopy<T>(value: T): Mutable<T> {
  return structuredClone(value) as Mutable<T>;
}

type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends string
    ? T
    : T extends object
      ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
      : T;
