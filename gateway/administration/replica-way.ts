/**
 * A replica on its way into its group or out of it, watched from outside. The servers go on by themselves: whoever
 * watches may stop at any time, and begin again.
 */
import { z } from 'zod';
import {
  membersOf,
  publisherOf,
  volumeEntry,
  type ReplicaState,
  type VolumeId,
} from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Administration } from './administration.js';

const lookMs = 1000;

/** What is used of a server's report. */
export const reportSchema = z.object({
  volumes: z.record(
    z.string(),
    z.object({
      replica: z.string(),
      stamp: z.number(),
      objects: z.number(),
      used: z.number(),
      available: z.number(),
      conflicts: z.number(),
    }),
  ),
  waiting: z.array(z.object({ volume: z.string(), replica: z.string(), reason: z.string() })),
});
export type ServerReport = z.infer<typeof reportSchema>;

export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

export interface OnTheWay {
  readonly replica: string;
  readonly server: string;
  /** `member`: it has everything, and what it replaces is about to leave. */
  readonly state: ReplicaState | 'member';
  /** What it has, of what a member has; undefined: not known. */
  readonly done: Amount | undefined;
  readonly all: Amount | undefined;
  /** Why it waits, in words; undefined: it does not. */
  readonly reason: string | undefined;
}

/** Where the replicas of `volume` stand that are on their way, at each look; ends when none of `servers` has one. */
export async function* replicasOnTheWay(
  administration: Administration,
  volume: VolumeId,
  servers: readonly string[],
  clock: Clock,
): AsyncGenerator<readonly OnTheWay[]> {
  for (;;) {
    const document = await administration.document();
    const entry = volumeEntry(document, volume);
    const moving = (entry?.replicas ?? []).filter(
      ({ server, state, replaces }) => servers.includes(server) && (state ?? replaces) !== undefined,
    );
    if (entry === undefined || moving.length === 0) return;
    const publisher = await reportOf(administration, publisherOf(document));
    const [member] = membersOf(entry);
    const all = amountIn(await reportOf(administration, member?.server), volume);
    const ways: OnTheWay[] = [];
    for (const { id, server, state = 'member' } of moving) {
      const done = state === 'filling' ? amountIn(await reportOf(administration, server), volume) : undefined;
      const waiting = publisher?.waiting.find((each) => each.volume === volume && each.replica === id);
      const reason = publisher === undefined ? 'the server that publishes does not answer' : waiting?.reason;
      ways.push({ replica: id, server, state, done, all, reason });
    }
    yield ways;
    await sleep(clock, lookMs);
  }
}

export async function reportOf(
  administration: Administration,
  server: string | undefined,
): Promise<ServerReport | undefined> {
  const report = server === undefined ? undefined : await administration.report(server);
  const parsed = reportSchema.safeParse(report);
  return parsed.success ? parsed.data : undefined;
}

function amountIn(report: ServerReport | undefined, volume: VolumeId): Amount | undefined {
  const found = report?.volumes[volume];
  return found === undefined ? undefined : { objects: found.objects, bytes: found.used };
}
