/** How far the updates of a gateway's users have been met at a replica. */
import { gatewayOf } from '../interface/index.js';
import { endOf, type StoreReader } from '../seam/store.js';

/** @see VolumeKeys */
interface Keys {
  readonly volume: string;
  applied(venus: string, counter: number): string;
}

/**
 * For each user of the gateway `venus` the highest counter that was applied here, or that is promised not to be sent
 * any more.
 */
export function seenCounters(
  reader: StoreReader,
  keys: Keys,
  venus: string,
  watermarkOf: (user: string) => number,
): readonly number[] {
  const seen = new Map<string, number>();
  const isOne = (user: string): boolean => gatewayOf(user) === gatewayOf(venus);
  for (const user of usersIn(reader, `${keys.volume}/watermark/`)) {
    if (isOne(user)) seen.set(user, Math.max(watermarkOf(user) - 1, 0));
  }
  for (const user of usersIn(reader, `${keys.volume}/applied/`)) {
    if (!isOne(user)) continue;
    const range = { start: keys.applied(user, 0), end: endOf(`${keys.volume}/applied/${user}/`) };
    for (const { key } of reader.range({ ...range, reverse: true, limit: 1 })) {
      seen.set(user, Math.max(seen.get(user) ?? 0, Number(key.slice(key.lastIndexOf('/') + 1))));
    }
  }
  return [...seen.values()];
}

/** The VenusIds that follow `prefix` in the keys of rows: one step for each, however many rows it has. */
function* usersIn(reader: StoreReader, prefix: string): Generator<string> {
  for (let start = prefix; ;) {
    const [row] = [...reader.range({ start, end: endOf(prefix), limit: 1 })];
    if (row === undefined) return;
    const user = row.key.slice(prefix.length, prefix.length + 16);
    yield user;
    start = endOf(prefix + user);
  }
}
