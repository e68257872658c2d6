/** The policy of a volume, changed while a realm runs: what is written, who is told, what is refused. */
import { join } from 'node:path';
import t from 'tap';
import type { RealmDocument } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { createRealm, readRealm } from './realm-folder.js';
import { VolumePolicies } from './volume-policies.js';

async function opened(folder: string) {
  const { document } = await createRealm(folder, 3);
  const told: [string, RealmDocument][] = [];
  const away = new Set<string>();
  const policies = new VolumePolicies(folder, async (server, next) => {
    if (away.has(server)) throw new OperatorError('unreachable', `${server} does not run`);
    told.push([server, next]);
  });
  const written = async (): Promise<RealmDocument | undefined> => (await readRealm(folder))?.document;
  return { document, told, away, policies, written };
}

t.test('it is written and told; who is away hears of it the next time', async (t) => {
  const { document, told, away, policies, written } = await opened(join(t.testdir({}), 'realm'));
  t.same(await policies.order({ volume: 'root' }), { volume: 'root', policy: 'keep', servers: [] });
  t.same([told, await written()], [[], document], 'to ask changes nothing');
  away.add('s2');
  const change = { volume: 'root', policy: 'last-writer-wins' } as const;
  t.same(await policies.order(change), { ...change, servers: ['s1', 's3'] });
  const next = await written();
  t.match(next, { version: document.version + 1, volumes: [{ conflicts: 'last-writer-wins' }] });
  t.same(told, [
    ['s1', next],
    ['s3', next],
  ]);
  away.clear();
  t.same((await policies.order(change)).servers, ['s1', 's2', 's3']);
  t.same(await written(), next, 'no further version');
});

t.test('changes at the same time are versions one after the other', async (t) => {
  const { document, told, policies, written } = await opened(join(t.testdir({}), 'realm'));
  const orders = (['last-writer-wins', 'keep', 'last-writer-wins'] as const).map((policy) =>
    policies.order({ volume: 'root', policy }),
  );
  t.same(
    (await Promise.all(orders)).map(({ policy }) => policy),
    ['last-writer-wins', 'keep', 'last-writer-wins'],
  );
  t.equal((await written())?.version, document.version + 3);
  t.same(
    told.filter(([server]) => server === 's1').map(([, { version }]) => version - document.version),
    [1, 2, 3],
  );
});

t.test('a volume that is not there', async (t) => {
  const { policies, told } = await opened(join(t.testdir({}), 'realm'));
  await t.rejects(policies.order({ volume: 'rot', policy: 'keep' }), { message: /"rot"; there are: root/ });
  t.same(told, []);
  t.equal((await policies.order({ volume: 'root' })).policy, 'keep', 'and the next order is carried out');
});
