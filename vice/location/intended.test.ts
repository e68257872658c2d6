/** The table of intentions: what each makes of a document, again and again. */
import t from 'tap';
import {
  isFailure,
  publisherOf,
  realmDocumentSchema,
  revocationFault,
  type Intention,
  type RealmDocument,
  type ReplicaEntry,
  type VolumeId,
} from '../interface/index.js';
import { dropped, finished, intended, relieved } from './intended.js';

const volume = '7f000001' as VolumeId;

function documentOf(...replicas: readonly ReplicaEntry[]): RealmDocument {
  return {
    format: 1,
    version: 7,
    realm: 'office',
    name: 'office',
    servers: ['s1', 's2', 's3'].map((name) => ({ name, address: `ws://${name}:1` })),
    volumes: [{ id: volume, name: 'root', replicas }],
    rootVolume: volume,
  };
}

const member = (server: string, replaces?: string): ReplicaEntry => {
  return { id: `r-${server}`, server, ...(replaces !== undefined && { replaces: `r-${replaces}` }) };
};
const leaving = (server: string): ReplicaEntry => ({ ...member(server), state: 'leaving' });
const filling = (server: string, replaces?: string): ReplicaEntry => {
  return {
    ...member(server),
    state: 'filling',
    ...(replaces !== undefined && { replaces: `r-${replaces}` }),
  };
};
const newId = (server: string): string => `new-${server}`;
const add = (server: string, replaces: string | null = null): Intention => {
  return { change: 'add-replica', volume, server, replaces };
};
const removal = (server: string, lost = false): Intention => ({
  change: 'remove-replica',
  volume,
  server,
  lost,
});

/** Each replica in a word: its server, + filling, - leaving, > what it replaces. */
function replicasOf(document: RealmDocument): string {
  const signs = { filling: '+', leaving: '-' } as const;
  const entries = document.volumes[0]?.replicas ?? [];
  return entries
    .map(({ id, server, state, replaces }) => {
      const name = id === `r-${server}` ? server : id;
      return `${name}${state === undefined ? '' : signs[state]}${replaces === undefined ? '' : `>${replaces}`}`;
    })
    .join(' ');
}

/** From, intention, to (null: nothing changes); or the kind of the failure. */
const table: readonly (readonly [readonly ReplicaEntry[], Intention, string | null])[] = [
  [[member('s1')], add('s2'), 's1 new-s2+'],
  [[member('s1'), filling('s2')], add('s2'), null],
  [[member('s1'), member('s2')], add('s2'), null],
  [[member('s1'), leaving('s2')], add('s2'), 's1 s2'],
  [[member('s1'), filling('s2', 's3'), leaving('s3')], add('s3'), 's1 s2+ s3'],
  [[member('s1'), leaving('s2')], add('s2', 's1'), 's1 s2>r-s1'],
  [[member('s1'), filling('s2', 's1')], add('s1'), 's1 s2+'],
  [[member('s1'), member('s2', 's1')], add('s1'), 's1 s2'],
  [[member('s1')], add('s9'), 'not-found'],
  [[member('s1')], add('s2', 's1'), 's1 new-s2+>r-s1'],
  [[member('s1')], add('s2', 's3'), 'not-found'],
  [[member('s1'), filling('s2')], add('s2', 's1'), 's1 s2+>r-s1'],
  [[member('s1'), filling('s2', 's1')], add('s2', 's1'), null],
  [[member('s1'), filling('s2', 's1')], add('s2'), null],
  [[member('s1'), member('s2')], add('s2', 's1'), 's1 s2>r-s1'],
  [[member('s1'), member('s2', 's1')], add('s2', 's1'), null],
  [[member('s1'), member('s2', 's1')], removal('s1'), 's1- s2>r-s1'],
  [[member('s1'), member('s2', 's1')], removal('s1', true), 's2'],
  [[leaving('s1'), member('s2')], add('s2', 's1'), null],
  [[member('s2')], add('s2', 's1'), null],
  [[member('s1')], removal('s1'), 'refused'],
  [[member('s1')], removal('s1', true), 'refused'],
  [[member('s1'), filling('s2')], removal('s1'), 'refused'],
  [[member('s1'), leaving('s2')], removal('s1'), 'refused'],
  [[member('s1'), member('s2')], removal('s2'), 's1 s2-'],
  [[member('s1'), leaving('s2')], removal('s2'), null],
  [[member('s1'), member('s2')], removal('s2', true), 's1'],
  [[member('s1'), leaving('s2')], removal('s2', true), 's1'],
  [[member('s1'), filling('s2')], removal('s2'), 's1'],
  [[member('s1')], removal('s2'), null],
  [[member('s1')], removal('s9'), 'not-found'],
  [[member('s1'), member('s3'), filling('s2', 's1')], removal('s1', true), 's3 s2+'],
];

t.test('each intention does what it says, or nothing, or is refused', async (t) => {
  for (const [replicas, intention, outcome] of table) {
    const before = documentOf(...replicas);
    const what = `${replicasOf(before)}: ${JSON.stringify(intention)}`;
    let after: RealmDocument;
    try {
      after = intended(before, intention, newId);
    } catch (error) {
      t.equal(isFailure(error) ? error.kind : error, outcome, what);
      continue;
    }
    t.equal(after === before ? null : replicasOf(after), outcome, what);
    t.equal(after.version, outcome === null ? 7 : 8, `${what}: the version`);
    t.equal(intended(after, intention, newId), after, `${what}: said again`);
    t.ok(realmDocumentSchema.safeParse(after).success);
  }
});

t.test('what follows by itself follows once', async (t) => {
  const moving = documentOf(member('s1'), filling('s2', 's1'));
  t.equal(relieved(moving, volume, 'r-s2'), moving, 'it has not got everything yet');
  const both = finished(moving, volume, 'r-s2');
  t.equal(replicasOf(both), 's1 s2>r-s1');
  t.equal(finished(both, volume, 'r-s2'), both);
  const there = relieved(both, volume, 'r-s2');
  t.equal(replicasOf(there), 's1- s2');
  t.equal(relieved(there, volume, 'r-s2'), there);
  const gone = intended(both, removal('s1', true), newId);
  t.equal(relieved(gone, volume, 'r-s2'), gone, 'nobody is left to go');
  t.equal(dropped(moving, volume, 'r-s1'), moving, 'a member is not dropped');
  t.equal(finished(moving, volume, 'r-s1'), moving, 'nor finished');
  const moved = dropped(there, volume, 'r-s1');
  t.equal(replicasOf(moved), 's2');
  t.same(moved.volumes[0]?.retired, ['r-s1']);
  t.equal(dropped(moved, volume, 'r-s1'), moved);
});

t.test('the id of a replica is never given again', async (t) => {
  let document = documentOf(member('s1'));
  const ids = ['r-s1', 'one', 'one', 'two'];
  const scripted = (): string => ids.shift() ?? 'none left';
  document = intended(document, add('s2'), scripted);
  t.equal(replicasOf(document), 's1 one+', 'not that of another one');
  document = intended(document, removal('s2'), scripted);
  document = intended(document, add('s2'), scripted);
  t.equal(replicasOf(document), 's1 two+', 'not that of one that was');
});

t.test('certificates are revoked: the latest moment holds, and never for the server that publishes', (t) => {
  const revoke = (role: 'server' | 'gateway', name: string, before: number): Intention => {
    return { change: 'revoke', role, name, before };
  };
  const document = documentOf(member('s1'));
  const once = intended(document, revoke('gateway', 'g2', 5000), newId);
  t.same(once.revoked, [{ role: 'gateway', name: 'g2', before: 5000 }]);
  t.equal(once.version, 8);
  t.ok(realmDocumentSchema.safeParse(once).success);
  t.equal(intended(once, revoke('gateway', 'g2', 5000), newId), once, 'said again it changes nothing');
  t.equal(intended(once, revoke('gateway', 'g2', 4000), newId), once, 'and nothing counts again');
  const more = intended(
    intended(once, revoke('server', 's2', 1000), newId),
    revoke('gateway', 'g2', 6000),
    newId,
  );
  t.same(more.revoked, [
    { role: 'server', name: 's2', before: 1000 },
    { role: 'gateway', name: 'g2', before: 6000 },
  ]);
  t.throws(() => intended(document, revoke('server', 's1', 5000), newId), /s1 publishes the realm document/);
  const shown = { role: 'gateway', name: 'g2', validFrom: 5999 } as const;
  t.match(revocationFault(more.revoked, shown), /revoked on 1970-01-01T00:00:06/);
  t.equal(revocationFault(more.revoked, { ...shown, validFrom: 6000 }), undefined);
  t.equal(revocationFault(more.revoked, { ...shown, role: 'operator' }), undefined);
  t.equal(revocationFault(undefined, shown), undefined);
  t.end();
});

t.test('how long a login is good', async (t) => {
  const login = (seconds: number | null): Intention => ({ change: 'set-login-time', seconds });
  const plain = documentOf(member('s1'));
  t.throws(() => intended(plain, login(3600), newId), /leaves users to its gateways/);
  const document: RealmDocument = { ...plain, people: { version: 3 } };
  const once = intended(document, login(3600), newId);
  t.same(once.people, { version: 3, tokenSeconds: 3600 });
  t.equal(once.version, document.version + 1);
  t.ok(realmDocumentSchema.safeParse(once).success);
  t.equal(intended(once, login(3600), newId), once, 'said again it changes nothing');
  t.same(intended(once, login(null), newId).people, { version: 3 });
  t.equal(intended(document, login(null), newId), document);
  for (const seconds of [59, 91 * 86_400]) {
    t.throws(() => intended(document, login(seconds), newId), /a minute to ninety days/);
  }
});

t.test('servers come and go; one of them publishes', async (t) => {
  let document = documentOf(member('s1'), filling('s2'));
  const say = (intention: Intention): RealmDocument => (document = intended(document, intention, newId));
  const kindOf = (intention: Intention): unknown => {
    try {
      return intended(document, intention, newId) === document ? null : 'changed';
    } catch (error) {
      return isFailure(error) ? error.kind : error;
    }
  };
  const s4 = { change: 'add-server', name: 's4', address: 'ws://s4:1' } as const;
  t.equal(say(s4).servers.length, 4);
  t.equal(kindOf(s4), null);
  t.equal(kindOf({ ...s4, address: 'ws://elsewhere:1' }), 'exists');
  t.equal(kindOf({ ...s4, name: 's5' }), 'exists', 'its address has another');
  t.equal(kindOf({ change: 'remove-server', name: 's2' }), 'refused', 'it has a replica');
  t.equal(publisherOf(document), 's1');
  t.equal(say({ change: 'set-publisher', name: 's3' }).publisher, 's3');
  t.equal(kindOf({ change: 'remove-server', name: 's3' }), 'refused', 'it publishes');
  t.equal(kindOf({ change: 'set-publisher', name: 's9' }), 'not-found');
  t.equal(say({ change: 'remove-server', name: 's4' }).servers.length, 3);
  t.equal(kindOf({ change: 'remove-server', name: 's4' }), null);
  t.equal(kindOf({ change: 'set-policy', volume, conflicts: 'keep' }), null);
  t.equal(kindOf({ change: 'set-policy', volume, conflicts: 'last-writer-wins' }), 'changed');
});
