/** Contents that come with a call or before it, and that the call names: made containers and held while it runs. */
import { emptyDigest, Failure, limits, type Argument } from '../interface/index.js';
import type { Containers } from '../seam/containers.js';
import type { Session } from '../seam/network.js';
import { digestOfPacked } from '../seam/packed-containers.js';
import type { Replica } from '../volume/replica.js';
import type { ServerContext } from './context.js';

const operation = 'vice.contents';

export type Bringing = Pick<Argument<'mutate'>, 'inline' | 'transfers'>;

/** @throws Failure invalid: something comes that is not `named` */
export function mustBeNamed({ inline, transfers }: Bringing, named: ReadonlySet<string>): void {
  for (const digest of [...Object.keys(inline), ...Object.keys(transfers)]) {
    if (named.has(digest)) continue;
    throw new Failure('invalid', operation, `nothing here has the contents ${digest}`);
  }
}

/**
 * Makes sure that contents which came with the call or before it are containers, and holds all that are `named` until
 * `releases`. Returns those that are so small that they are stored in the transaction of the objects.
 * @throws Failure invalid (other contents than the digest says), too-large, busy, no-space
 */
export async function bringContents(
  context: ServerContext,
  session: Session,
  replica: Replica,
  bringing: Bringing & { readonly named: Iterable<string> },
  releases: (() => void)[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { containers } = context.world;
  const packed = new Map<string, Uint8Array>();
  for (const digest of bringing.named) releases.push(replica.hold(digest));
  const inline = Object.entries(bringing.inline).map(async ([digest, bytes]) => {
    if (!context.packed.packs(bytes.length)) return spoolInline(containers, digest, bytes);
    mustBe(digest, digestOfPacked(bytes));
    await context.packed.mustFit(bytes.length);
    packed.set(digest, bytes);
  });
  const staged = Object.entries(bringing.transfers).map(async ([digest, id]) => {
    if (await containers.has(digest)) return;
    const arrived = await context.staging.arrived(session.peer.name, id);
    // What is not what it was said to be is of no use to anybody: the next attempt begins at byte 0.
    if (arrived.digest !== digest) context.staging.claimed(session.peer.name, id);
    mustBe(digest, arrived.digest);
  });
  // All of them end before anything is released.
  for (const outcome of await Promise.allSettled([...inline, ...staged])) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
  return packed;
}

async function spoolInline(containers: Containers, digest: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > limits.inlineBytes) {
    throw new Failure('too-large', operation, `contents over ${limits.inlineBytes} bytes travel by upload`);
  }
  if (digest === emptyDigest || (await containers.has(digest))) return;
  const spool = await containers.spool();
  try {
    await spool.write(bytes);
    mustBe(digest, (await spool.commit()).digest);
  } finally {
    await spool.abort();
  }
}

function mustBe(promised: string, found: string): void {
  if (promised === found) return;
  throw new Failure('invalid', operation, `the contents sent as ${promised} have the digest ${found}`);
}
