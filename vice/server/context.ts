/** What the handlers of a server share. */
import type { Argument, CallName, Result } from '../interface/index.js';
import type { Location } from '../location/location.js';
import type { AuditLog } from '../protection/audit-log.js';
import type { Denials } from '../protection/denials.js';
import type { KnownGateways } from '../protection/known-gateways.js';
import type { LoginAttempts } from '../protection/login-attempts.js';
import type { PasswordChecks } from '../protection/password-checks.js';
import type { People } from '../protection/people.js';
import type { SessionKeys } from '../protection/session-keys.js';
import type { SessionLogins } from '../protection/session-logins.js';
import type { Resolver } from '../resolution/resolver.js';
import type { SnapshotCopier } from '../resolution/snapshot-copying.js';
import type { ServerLinks } from '../resolution/links.js';
import type { Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import type { PackedContainers } from '../seam/packed-containers.js';
import type { Network, Session } from '../seam/network.js';
import type { Passwords } from '../seam/passwords.js';
import type { Random } from '../seam/random.js';
import type { Store } from '../seam/store.js';
import type { CallbackPromises } from './callback-promises.js';
import type { FollowingPeople } from './following-people.js';
import type { HeldContents } from './held-contents.js';
import type { Metrics } from './metrics.js';
import type { Recipes } from './recipes.js';
import type { Scrubber } from '../scrub/scrubber.js';
import type { Staging } from './staging.js';
import type { Steward } from './steward.js';
import type { Volumes } from './volumes.js';

/** The seams that a server reaches the world through. */
export interface ServerWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly store: Store;
  readonly containers: Containers;
  readonly passwords: Passwords;
  readonly log: Log;
}

export interface ServerContext {
  readonly name: string;
  readonly world: ServerWorld;
  readonly location: Location;
  readonly people: People;
  readonly gateways: KnownGateways;
  readonly audit: AuditLog;
  readonly denials: Denials;
  readonly logins: SessionLogins;
  readonly keys: SessionKeys;
  readonly passwords: PasswordChecks;
  readonly attempts: LoginAttempts;
  readonly volumes: Volumes;
  readonly promises: CallbackPromises;
  readonly staging: Staging;
  readonly held: HeldContents;
  readonly recipes: Recipes;
  readonly links: ServerLinks;
  readonly resolver: Resolver;
  readonly copier: SnapshotCopier;
  readonly metrics: Metrics;
  readonly steward: Steward;
  readonly following: FollowingPeople;
  readonly scrubber: Scrubber;
  /** Calls of gateways that are being answered: what runs in the background gives way to them. */
  readonly foreground: { calls: number };
  /** Open sessions by id. */
  readonly sessions: ReadonlyMap<number, Session>;
  /** The containers of the world: small contents are stored in the transaction that names them. */
  readonly packed: PackedContainers;
}

/** One call, its argument checked and its caller's role allowed. An iterable is sent in parts. */
export type Handler<C extends CallName> = (
  context: ServerContext,
  session: Session,
  argument: Argument<C>,
) => Promise<Result<C> | AsyncIterable<Result<C>>>;

export type Handlers<C extends CallName> = { readonly [Name in C]: Handler<Name> };
