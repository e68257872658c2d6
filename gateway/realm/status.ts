/** What `coda status --json` prints, of a realm, a single server or a single gateway. A stable shape. */
import { z } from 'zod';
import { conflictPolicies } from '../../vice/interface/index.js';

const childState = z.enum(['stopped', 'starting', 'running', 'waiting', 'stopping']);

const serverStatus = z.object({
  name: z.string(),
  /** Null while no process runs. */
  pid: z.number().nullable(),
  url: z.string(),
  state: childState,
  /** While it catches up with what other servers did without it. */
  catchUps: z
    .array(
      z.object({
        volume: z.string(),
        /** The server whose changes it reads. */
        peer: z.string(),
        /** Milliseconds since 1970. */
        since: z.number(),
        /** Changes read so far, of all that there were (an estimate). */
        done: z.number(),
        all: z.number(),
        /** Objects brought up to date. */
        objects: z.number(),
      }),
    )
    .default([]),
  /** The check of all that it holds; null while it does not answer. */
  scrub: z
    .object({
      running: z.boolean(),
      /** Milliseconds since 1970; null: there was none yet, or it runs. */
      endedAt: z.number().nullable(),
      /** Faults that could not be healed. */
      open: z.number(),
    })
    .nullable()
    .default(null),
});

const volumeStatus = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['hoarding', 'write-disconnected', 'emulating', 'reintegrating', 'resolving']),
  /** Names of the servers that hold a replica, and of those that can be reached. */
  vsg: z.array(z.string()),
  avsg: z.array(z.string()),
  preferred: z.string().nullable(),
  /** Changes that have not reached the servers yet. */
  pendingRecords: z.number(),
  pendingBytes: z.number(),
  /** At these new contents are refused. */
  limitRecords: z.number(),
  limitBytes: z.number(),
  /** When the oldest of them was made, milliseconds since 1970. */
  oldestPending: z.number().nullable(),
  /** Changes that the servers refused for good; they are kept until a person decides. */
  keptRecords: z.number(),
  path: z.array(z.string()).readonly().nullable().default(null),
  hidesNames: z.boolean().default(false),
  /** Users whose changes wait for them to log in again. */
  awaitedLogins: z.array(z.string()).default([]),
  mode: z.enum(['write-through', 'write-disconnected']),
  /** What is seen of versions of a file that were made apart. */
  conflicts: z.enum(conflictPolicies).default('keep'),
  /** The links were measured to be slow. */
  weak: z.boolean(),
  /** While the log is replayed; null: it is not. */
  replay: z
    .object({
      /** Milliseconds since 1970. */
      since: z.number(),
      doneRecords: z.number(),
      doneBytes: z.number(),
      recordsPerSecond: z.number(),
      bytesPerSecond: z.number(),
    })
    .nullable(),
  /** The last thing that went wrong with the log, in words. */
  lastError: z.string().nullable(),
});

/** A volume that is no more, of which changes are kept. */
const deletedVolume = z.object({ id: z.string(), name: z.string(), keptRecords: z.number() });

const gatewayStatus = z.object({
  name: z.string(),
  pid: z.number().nullable(),
  url: z.string(),
  state: childState,
  /** As this gateway sees them; empty, and cache null, while it does not answer. */
  volumes: z.array(volumeStatus),
  deletedVolumes: z.array(deletedVolume).default([]),
  servers: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      reachable: z.boolean(),
      /** Milliseconds since it was last heard; null if never. */
      silence: z.number().nullable(),
      /** Disconnected on purpose, until `coda reconnect`. */
      planned: z.boolean(),
    }),
  ),
  cache: z.object({ objects: z.number(), containers: z.number(), bytes: z.number() }).nullable(),
  /** What people must decide about, as far as this gateway knows. */
  conflicts: z.number().default(0),
});

export const statusSchema = z.object({ servers: z.array(serverStatus), gateways: z.array(gatewayStatus) });

export type VolumeStatus = z.infer<typeof volumeStatus>;
export type ServerStatus = z.infer<typeof serverStatus>;
export type GatewayStatus = z.infer<typeof gatewayStatus>;
export type Status = z.infer<typeof statusSchema>;
