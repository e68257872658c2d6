/**
 * Folders of very many names: how long a listing, a new name and a removal take, and how long the event loops of
 * gateway and servers stood still for them. The figures of stalls are processor time (turn-watch.ts).
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { WebdavClient } from '../webdav-client.js';
import { DirectServers } from './direct-servers.js';
import { DrivenRealm } from './driven-realm.js';
import { VolumeFiller } from './filling.js';
import { median, say, shown, type Row, type Table } from './report.js';
import { Turns } from './turns.js';

export interface LargeFoldersScale {
  readonly servers: number;
  /** Names, each the double of the one before. */
  readonly sizes: readonly number[];
}

/** Names made and removed one after another. */
const changes = 20;
const roles = { gateway: 'gateway', server: 'vice' } as const;

type Figures = Record<string, number>;

export async function largeFolders({ servers, sizes }: LargeFoldersScale): Promise<Table[]> {
  const turns = await Turns.start();
  const realm = await DrivenRealm.start(servers, 2, { environment: turns.environment });
  try {
    const direct = await DirectServers.of(realm.realm.data);
    const filler = new VolumeFiller(direct);
    const measured: Figures[] = [];
    for (const size of sizes) {
      const folder = `names-${size}`;
      await filler.fillFolder(folder, size);
      await direct.settle();
      say(`${size} names are there`);
      measured.push(await ofFolder(realm, turns, folder, size));
    }
    direct.close();
    const columns = sizes.map((size) => `${size.toLocaleString('en')} names`);
    const rows = Object.keys(measured[0] ?? {}).map((key): Row => {
      const [what = '', unit = ''] = key.split(' | ');
      const figures = measured.map((each, index) => [columns[index] ?? '', each[key]] as const);
      return { what, unit, figures: Object.fromEntries(figures) };
    });
    return [{ title: `Folders of many names, ${servers} servers, two gateways`, columns, rows }];
  } catch (error) {
    say(await realm.realm.logs());
    throw error;
  } finally {
    await realm.stop();
    await turns.stop();
  }
}

async function ofFolder(realm: DrivenRealm, turns: Turns, folder: string, size: number): Promise<Figures> {
  const [one, other] = realm.realm.ready.gateways.map(({ url }) => url);
  if (one === undefined || other === undefined) throw new Error('the realm has two gateways');
  const { user, password } = realm.target;
  const client = new WebdavClient(one, user, password, 1);
  const figures: Figures = {};
  const measure = async (what: string, unit: string, work: () => Promise<number>): Promise<void> => {
    const { value, of } = await turns.during(work);
    figures[`${what} | ${unit}`] = value;
    for (const [name, role] of Object.entries(roles)) {
      const { longest, over10 } = of(role);
      figures[`${what}: longest turn of a ${name} | ms`] = longest;
      figures[`${what}: turns of a ${name} over 10 ms | turns`] = over10;
    }
    const [gateway, server] = [of(roles.gateway), of(roles.server)];
    const inWords = [gateway, server].map(
      ({ longest, over10 }) => `${shown(longest)} ms (${over10} over 10)`,
    );
    say(`${size} names: ${what} ${shown(value)} ${unit}; longest turns ${inWords.join(', ')}`);
  };
  const listing = (url: string, names: number) => (): Promise<number> =>
    timed(async () => {
      const found = await listed(url, folder, user, password);
      if (found !== names + 1) throw new Error(`${found} responses, ${names + 1} expected`);
    });
  const each = (method: string) => async (): Promise<number> => {
    const times: number[] = [];
    for (let index = 0; index < changes; index += 1) {
      times.push(await timed(() => must(client, method, `/${folder}/new-${index}.txt`)));
    }
    return (median(times) ?? 0) * 1000;
  };
  try {
    await measure('first listing', 's', listing(one, size));
    await measure('listing again', 's', listing(one, size));
    await measure('a new name', 'ms', each('PUT'));
    await measure('a removal', 'ms', each('DELETE'));
    await measure('first listing at the second gateway', 's', listing(other, size));
    await must(client, 'PUT', `/${folder}/one-more.txt`);
    await measure('listing there after one new name', 's', listing(other, size + 1));
    await must(client, 'DELETE', `/${folder}/one-more.txt`);
    await realm.realm.restarted(await gatewayName(realm), await realm.killGateway());
    await measure('listing after a restart', 's', listing(one, size));
  } finally {
    await client.close();
  }
  return figures;
}

async function gatewayName(realm: DrivenRealm): Promise<string> {
  const [gateway] = realm.realm.ready.gateways;
  if (gateway === undefined) throw new Error('a realm has a gateway');
  return gateway.name;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function must(client: WebdavClient, method: string, path: string): Promise<void> {
  const { status, body } = await client.request(method, path, method === 'PUT' ? { body: 'x' } : {});
  if (status < 200 || status > 299)
    throw new Error(`${method} ${path} answered ${status}: ${body.toString()}`);
}

/** Responses in a PROPFIND of the folder; of the answer nothing is kept. */
async function listed(url: string, folder: string, user: string, password: string): Promise<number> {
  const target = new URL(`${new URL(url).pathname.replace(/\/$/, '')}/${folder}/`, url);
  const asked = request(target, { method: 'PROPFIND', auth: `${user}:${password}`, headers: { depth: '1' } });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  if (answer.statusCode !== 207) {
    const text = (await answer.setEncoding('utf8').toArray()).join('');
    throw new Error(`PROPFIND answered ${answer.statusCode ?? 0}: ${text}`);
  }
  const end = '</D:response>';
  let found = 0;
  let rest = '';
  for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
    const parts = (rest + chunk).split(end);
    found += parts.length - 1;
    rest = (parts.at(-1) ?? '').slice(-end.length);
  }
  return found;
}
