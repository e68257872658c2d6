/** Live properties of our own: what a person has to decide about an object (venus/interface.ts, Conflict). */
import type { Conflict, ObjectStatus } from '../../venus/interface.js';
import { escapeXml } from './xml-writer.js';

export const codaNamespace = 'urn:coda-gateway';

const values: Readonly<Record<string, (conflict: Conflict) => string>> = {
  conflict: ({ kind }) => kind,
  'conflict-author': ({ author }) => author,
  'conflict-host': ({ host }) => host,
  'conflict-time': ({ time }) => isoTime(time),
  'conflict-wanted': ({ wanted }) => wanted,
  'version-vector': ({ vector }) =>
    Object.entries(vector)
      .map(([replica, count]) => `${replica}=${count}`)
      .sort()
      .join(' '),
};

export const conflictNames: readonly string[] = Object.keys(values).map(
  (local) => `{${codaNamespace}}${local}`,
);

/** By name in Clark notation; objects without a conflict have none of them. */
export const conflictProperties = Object.entries(values).map(
  ([local, value]) =>
    [
      `{${codaNamespace}}${local}`,
      ({ conflict }: ObjectStatus) =>
        conflict === null
          ? undefined
          : `<C:${local} xmlns:C="${codaNamespace}">${escapeXml(value(conflict))}</C:${local}>`,
    ] as const,
);

/** To the millisecond, UTC; a time that has no such form becomes 1970. */
export function isoTime(time: number): string {
  const inRange = time >= -62_167_219_200_000 && time < 253_402_300_800_000;
  return new Date(inRange ? time : 0).toISOString();
}
