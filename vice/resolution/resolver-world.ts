/** What the resolver is given: the server's replicas, its links, and who wants to know what it did. */
import type { RealmDocument, VolumeId } from '../interface/index.js';
import type { Log } from '../seam/log.js';
import type { PackedContainers } from '../seam/packed-containers.js';
import type { Replica } from '../volume/replica.js';
import type { GravesWorld } from './graves.js';
import type { ServerLinks } from './links.js';

export interface ResolverWorld extends GravesWorld {
  readonly containers: PackedContainers;
  readonly log: Log;
  readonly links: ServerLinks;
  realm(): RealmDocument;
  replica(volume: VolumeId): Replica | undefined;
  replicas(): Iterable<Replica>;
  readonly meter: ResolutionMeter;
}

/** Told what resolution did, for the metrics. */
export interface ResolutionMeter {
  /** Objects installed from peers. */
  installed(count: number): void;
  /** Container bytes fetched from peers. */
  fetched(bytes: number): void;
  /** A container that should be here was missing or did not match its digest. */
  damaged(): void;
}
