/** What a cold file costs: its first byte, all of it, its end. One gateway wrote it, another one reads it. */
import { LargeReading, putLarge, type Login } from '../large-file.js';
import { DrivenRealm } from './driven-realm.js';
import { say, shown, type Row, type Table } from './report.js';
import { secondsSince } from './replay.js';

export interface ColdScale {
  /** Mebibytes, each the double of the one before. */
  readonly sizes: readonly number[];
}

const mebibyte = 1024 * 1024;
const tailBytes = 64 * 1024;
const kilobyte = 1000;

export async function coldReads({ sizes }: ColdScale): Promise<Table[]> {
  const realm = await DrivenRealm.start(3, 2);
  try {
    const columns = sizes.map((size) => `${size} MiB`);
    const measured: Figures[] = [];
    for (const size of sizes) measured.push(await ofSize(realm, size));
    const row = (what: string, unit: string, read: (figures: Figures) => number): Row => ({
      what,
      unit,
      figures: Object.fromEntries(measured.map((figures, index) => [columns[index] ?? '', read(figures)])),
    });
    const rows = [
      row('first byte of a cold file', 'ms', ({ firstMs }) => firstMs),
      row('all of a cold file', 'MB/s', ({ rate }) => rate),
      row('the last 64 KiB of a cold file', 'ms', ({ tailMs }) => tailMs),
      row('bytes that servers sent for these 64 KiB', 'kB', ({ tailBytes: bytes }) => bytes / kilobyte),
      row('bytes that servers sent for all of a file', 'times its length', ({ share }) => share),
    ];
    return [{ title: 'Cold files, three servers, by their size', columns, rows }];
  } finally {
    await realm.stop();
  }
}

interface Figures {
  readonly firstMs: number;
  readonly rate: number;
  readonly share: number;
  readonly tailMs: number;
  readonly tailBytes: number;
}

async function ofSize(realm: DrivenRealm, size: number): Promise<Figures> {
  const [writer, reader] = realm.realm.ready.gateways.map(({ url }): Login => ({ ...realm.target, url }));
  if (writer === undefined || reader === undefined) throw new Error('the realm has two gateways');
  const length = size * mebibyte;
  await putLarge(writer, `/whole-${size}`, length);
  // Other bytes: contents that are the same are cached once.
  await putLarge(writer, `/tail-${size}`, length - 1);
  let before = await served(realm);
  let started = performance.now();
  const tail = await LargeReading.begin(reader, `/tail-${size}`, `-${tailBytes}`);
  await tail.all();
  const tailMs = performance.now() - started;
  const ofTail = (await served(realm)) - before;
  before = await served(realm);
  started = performance.now();
  const whole = await LargeReading.begin(reader, `/whole-${size}`);
  await whole.until(1);
  const firstMs = performance.now() - started;
  await whole.all();
  const rate = length / 1e6 / secondsSince(started);
  const share = ((await served(realm)) - before) / length;
  say(`${size} MiB: first byte after ${shown(firstMs)} ms, ${shown(rate)} MB/s, the end ${shown(tailMs)} ms`);
  return { firstMs, rate, share, tailMs, tailBytes: ofTail };
}

/** Container bytes that all servers have sent to gateways. */
async function served(realm: DrivenRealm): Promise<number> {
  let bytes = 0;
  for (const { url } of realm.realm.ready.servers) {
    const text = await (await fetch(new URL('/metrics', url))).text();
    bytes += Number(/^vice_served_bytes_total (\S+)$/m.exec(text)?.[1] ?? 0);
  }
  return bytes;
}
