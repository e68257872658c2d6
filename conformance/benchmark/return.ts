/** How soon work goes on: the gateway after it was killed, its links after they were cut. */
import { until } from '../program.js';
import { WebdavClient } from '../webdav-client.js';
import { callsBetween, total, type Calls, type DrivenRealm } from './driven-realm.js';
import { drive, names } from './generator.js';
import { secondsSince } from './replay.js';
import { say, shown, type Row } from './report.js';

const answerWithinMs = 60_000;
const warmGets = 200;

/** Seconds from a SIGKILL of the gateway to its next answer, one of them before `coda up` starts it again. */
export async function recovery(realm: DrivenRealm): Promise<number> {
  const { url, user, password } = realm.target;
  const before = (await realm.volume()).pendingRecords;
  await realm.killGateway();
  const started = performance.now();
  const client = new WebdavClient(url, user, password, 1);
  try {
    await until('the gateway to answer again', answerWithinMs, async () => {
      const reply = await client.request('PROPFIND', '/', { headers: { depth: '0' } }).catch(() => undefined);
      return reply?.status === 207 ? true : undefined;
    });
  } finally {
    await client.close();
  }
  const seconds = secondsSince(started);
  const after = (await realm.volume()).pendingRecords;
  if (after !== before) throw new Error(`${before} records were in the log, ${after} after the restart`);
  say(`killed with ${before} records in the log: answers again after ${shown(seconds)} s`);
  return seconds;
}

/** With what is in the cache, nothing changed meanwhile. `folder` must be there, with `files` files. */
export async function reconnection(realm: DrivenRealm, folder: string, files: number): Promise<Row[]> {
  const column = '3 replicas';
  const { cache } = await realm.gatewayStatus();
  // What is left to be said and asked of earlier changes is none of the calls that are counted.
  const replayed = await realm.quiet();
  await read(realm, folder, files);
  say(
    `before the cut, reading what was replayed; calls: ${inWords(callsBetween(replayed, await realm.quiet()))}`,
  );
  await realm.disconnect();
  const before = await realm.quiet();
  const started = performance.now();
  await realm.reconnect();
  await realm.connected();
  const seconds = secondsSince(started);
  const reconnected = await realm.quiet();
  const calls = callsBetween(before, reconnected);
  say(
    `reconnected with ${cache?.objects ?? 0} cached objects in ${shown(seconds)} s; calls: ${inWords(calls)}`,
  );
  await read(realm, folder, files);
  const later = callsBetween(reconnected, await realm.quiet());
  say(`${warmGets} GETs and a listing of ${files} names later; calls: ${inWords(later)}`);
  const name = `reconnecting with ${(cache?.objects ?? 0).toLocaleString('en')} cached objects, none changed`;
  const most = (call: string): number => Math.max(...[...calls.values()].map((each) => each.get(call) ?? 0));
  return [
    { what: name, unit: 's', figures: { [column]: seconds } },
    { what: 'watch calls to a server, at most', unit: 'calls', figures: { [column]: most('watch') } },
    { what: 'all calls to all servers', unit: 'calls', figures: { [column]: total(calls) } },
    {
      what: `calls for ${warmGets} GETs and a listing of ${files.toLocaleString('en')} names afterwards`,
      unit: 'calls',
      figures: { [column]: total(later) },
    },
  ];
}

async function read(realm: DrivenRealm, folder: string, files: number): Promise<void> {
  await drive(realm.target, { method: 'GET', paths: names(folder, Math.min(files, warmGets)) });
  await drive(realm.target, { method: 'PROPFIND', paths: [`/${folder}/`], connections: 1 });
}

function inWords(calls: Calls): string {
  const parts = [...calls].map(([server, counts]) => {
    const each = [...counts].map(([name, count]) => `${count} ${name}`).join(' ');
    return `${server} ${each === '' ? 'none' : each}`;
  });
  return parts.join(', ');
}
