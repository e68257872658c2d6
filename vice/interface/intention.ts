/**
 * What an administrator wants of the realm, as opposed to a whole new document: two who want different things at the
 * same time do not undo each other, and saying the same again changes nothing.
 */
import { z } from 'zod';
import { parseFid, volumeId, type Fid, type VolumeId } from './fid.js';
import { conflictPolicies, restoringMost } from './realm.js';

const volume = z.custom<VolumeId>((value) => typeof value === 'string' && volumeId(value) !== undefined);
const directory = z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined);
const server = z.string().max(64);
/** Commands take names and ids alike, so that no name may look like an id. */
export const volumeNameSchema = z
  .string()
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N}._ -]{0,63}$/u,
    'up to 64 letters, digits, spaces or ._- after a letter or digit',
  )
  .regex(/^(?![0-9a-f]{8}$)/, 'not eight hexadecimal digits, as an id');
const member = z.string().min(1).max(128);
const members = z.array(member).max(1000);
const group = member.regex(/^[^\p{C}/\\]+$/u, 'without slashes and control characters');

export const intentionSchema = z.discriminatedUnion('change', [
  z.strictObject({
    change: z.literal('add-server'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, '1 to 40 lower-case letters, digits or hyphens'),
    address: z.string().regex(/^wss?:\/\/[^\s/]+:\d{1,5}\/?$/, 'as ws://HOST:PORT'),
  }),
  z.strictObject({ change: z.literal('remove-server'), name: server }),
  /** From now on this server makes new versions of the document. */
  z.strictObject({ change: z.literal('set-publisher'), name: server }),
  /** The same, said to that server itself: the one that publishes never comes back. */
  z.strictObject({ change: z.literal('take-over'), name: server }),
  /** `replaces`: the server whose replica leaves once this one is a member. */
  z.strictObject({ change: z.literal('add-replica'), volume, server, replaces: server.nullable() }),
  /** `lost`: the server never comes back, so nobody can ask it what it has. */
  z.strictObject({ change: z.literal('remove-replica'), volume, server, lost: z.boolean() }),
  z.strictObject({ change: z.literal('set-policy'), volume, conflicts: z.enum(conflictPolicies) }),
  /** `id`: made by whoever says it, once. It is empty, and in no tree; `restoring` (realm.ts) until `open-volume`. */
  z.strictObject({
    change: z.literal('create-volume'),
    id: volume,
    name: volumeNameSchema,
    servers: z.array(server).min(1).max(64),
    conflicts: z.enum(conflictPolicies).optional(),
    restoring: z.string().min(1).max(restoringMost).optional(),
  }),
  /** All that was to be restored is there. */
  z.strictObject({ change: z.literal('open-volume'), volume }),
  z.strictObject({ change: z.literal('rename-volume'), volume, name: volumeNameSchema }),
  /** With all that is in it. */
  z.strictObject({ change: z.literal('delete-volume'), volume }),
  z.strictObject({ change: z.literal('mount-volume'), volume, directory }),
  z.strictObject({ change: z.literal('unmount-volume'), volume }),
  /** Null: as much as the disks take. */
  z.strictObject({ change: z.literal('set-quota'), volume, bytes: z.int().min(1).nullable() }),
  z.strictObject({ change: z.literal('lock-volume'), volume }),
  z.strictObject({ change: z.literal('unlock-volume'), volume }),
  /** Users and groups; the group is made where there is none. */
  z.strictObject({ change: z.literal('add-members'), group, members }),
  z.strictObject({ change: z.literal('remove-members'), group, members }),
  z.strictObject({ change: z.literal('remove-group'), group }),
  /** How long a login is good without a server that renews it; null: as usual (tokenLife in user-token.ts). */
  z.strictObject({ change: z.literal('set-login-time'), seconds: z.int().min(1).nullable() }),
  /** See revocation.ts. */
  z.strictObject({
    change: z.literal('revoke'),
    role: z.enum(['gateway', 'server', 'operator']),
    name: z.string().min(1).max(64),
    before: z.int().min(1),
  }),
]);

export type Intention = z.infer<typeof intentionSchema>;
