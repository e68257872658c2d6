/** What we read of `coda status --json`: how a gateway sees its volumes. */
import { z } from 'zod';

export const volumeSchema = z.object({
  name: z.string().default(''),
  state: z.string(),
  /** Names of the servers that hold a replica, and of those that are reached. */
  vsg: z.array(z.string()),
  avsg: z.array(z.string()),
  pendingRecords: z.number(),
  keptRecords: z.number().default(0),
  /** The links were measured to be slow. */
  weak: z.boolean().default(false),
  lastError: z.string().nullable().default(null),
});
export type VolumeStatus = z.infer<typeof volumeSchema>;

export const statusSchema = z.object({
  gateways: z.array(z.object({ name: z.string(), volumes: z.array(volumeSchema) })),
});

/** Every server is reached. */
export function isConnected({ vsg, avsg }: VolumeStatus): boolean {
  return vsg.length > 0 && avsg.length === vsg.length;
}

/** Every server is reached, and nothing waits to be sent. */
export function isDrained(volume: VolumeStatus): boolean {
  return isConnected(volume) && volume.pendingRecords === 0;
}
