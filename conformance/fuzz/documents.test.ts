/**
 * Whatever an operator's files hold, the program reads them or says what to put right (OperatorError); what programs
 * have written behind checksums (users, people, the realm document at a server) they read or refuse with a Failure.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { parseListenAddress } from '../../gateway/config/listen-address.js';
import { OperatorError } from '../../gateway/config/operator-error.js';
import { readGatewayConfig, readRealmDocument, readViceConfig } from '../../gateway/config/role-config.js';
import { readUsers } from '../../gateway/access/users-file.js';
import { isFailure, seal, type PeopleDocument, type RealmDocument } from '../../vice/interface/index.js';
import { openLocation } from '../../vice/location/location.js';
import { People } from '../../vice/protection/people.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { alteredJson, alteredValue, runs, textOf } from './hostile.js';

const realm = {
  format: 1,
  version: 1,
  realm: '7e1666385bb2d650',
  name: 'embedded',
  servers: [
    { name: 's1', address: 'ws://127.0.0.1:1' },
    { name: 's2', address: 'ws://127.0.0.1:2' },
  ],
  volumes: [{ id: '7f000001', name: 'root', replicas: [{ id: 's1', server: 's1' }] }],
  rootVolume: '7f000001',
};
const shared = { data: 'data', realm: 'realm.json', realmKey: 'realm.key' };
const server = { ...shared, name: 's1', listen: 'ws://127.0.0.1:1' };
const gateway = {
  ...shared,
  name: 'g1',
  listen: '127.0.0.1:8080',
  users: 'users',
  prefix: '/share',
  cacheBytes: 2 ** 30,
};

const folder = mkdtempSync(join(tmpdir(), 'coda-fuzz-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);
writeFileSync(file('realm.json'), JSON.stringify(realm));
writeFileSync(file('realm.key'), Buffer.alloc(32, 7));

const readers: readonly (readonly [name: string, document: unknown, read: (file: string) => unknown])[] = [
  ['a realm document', realm, readRealmDocument],
  ["a server's configuration", server, readViceConfig],
  ["a gateway's configuration", gateway, readGatewayConfig],
];

for (const [name, document, read] of readers) {
  t.test(name, async (t) => {
    const path = file('document.json');
    const isRead = (text: string): boolean => {
      writeFileSync(path, text);
      try {
        read(path);
        return true;
      } catch (error) {
        if (error instanceof OperatorError && error.kind === 'usage') return true;
        throw error;
      }
    };
    writeFileSync(path, JSON.stringify(document));
    t.doesNotThrow(() => read(path), 'as it should be, it is read');
    const altered = alteredJson(document).map((value) => JSON.stringify(value) ?? '');
    fc.assert(fc.property(altered, isRead), { numRuns: runs });
    const half = fc.tuple(fc.nat(400), fc.string({ unit: 'binary', maxLength: 10 })).map(([length, rest]) => {
      return JSON.stringify(document).slice(0, length) + rest;
    });
    fc.assert(fc.property(half, isRead), { numRuns: runs });
  });
}

/** As scrypt-verifier.ts has it. */
const verifier = `$scrypt$ln=10,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

t.test("a gateway's users, behind checksums that fit", async (t) => {
  const path = file('users');
  const records = [
    { _id: 'ann', hash: verifier },
    { _id: 'bob', hash: verifier },
    { $$indexCreated: { fieldName: 'x' } },
  ];
  const lineOf = (record: unknown): string => {
    const text = JSON.stringify(record) ?? '';
    return `${createHash('sha256').update(text).digest('hex').slice(0, 16)} ${text}`;
  };
  const isRead = async (given: unknown): Promise<boolean> => {
    writeFileSync(path, (Array.isArray(given) ? given.map(lineOf) : [lineOf(given)]).join('\n'));
    try {
      const users = await readUsers(path);
      return [...users].every(([name, user]) => user.name === name && user.hash === verifier);
    } catch (error) {
      return isFailure(error, 'damaged') && error.message.includes('previous');
    }
  };
  t.ok(await isRead(records));
  t.same([...(await readUsers(path)).keys()], ['ann', 'bob'], 'as it should be, it is read');
  await fc.assert(fc.asyncProperty(alteredJson(records), isRead), { numRuns: runs });
});

const people: PeopleDocument = {
  format: 1,
  version: 3,
  realm: realm.realm,
  tokenKey: '0'.repeat(64),
  users: [
    { name: 'ann', verifier, changed: 5 },
    { name: 'bob', verifier, disabled: true, changed: 6 },
  ],
};

t.test('people and realm document in the store of a server, behind seals that fit', async (t) => {
  const stored = async (key: string, document: unknown): Promise<MemoryStore> => {
    const store = new MemoryStore({});
    await store.transact((transaction) => transaction.put(key, seal(document)));
    return store;
  };
  const openPeople = async (document: unknown): Promise<unknown> => {
    const opened = await People.open(await stored('protection/people', document), realm.realm, undefined);
    return opened.get('ann');
  };
  const openRealm = async (document: unknown): Promise<unknown> => {
    const store = await stored('location/realm', document);
    return (await openLocation(store, { ...realm, version: 0 } as unknown as RealmDocument)).current;
  };
  for (const [document, open] of [
    [people, openPeople],
    [realm, openRealm],
  ] as const) {
    t.ok(await open(document), 'as it should be, it is read');
    const isRead = async (altered: unknown): Promise<boolean> => {
      try {
        await open(altered);
        return true;
      } catch (error) {
        // What is said goes into logs: nothing that lets somebody in.
        return isFailure(error, 'invalid', 'damaged') && !error.message.includes(verifier);
      }
    };
    await fc.assert(fc.asyncProperty(alteredValue(document), isRead), { numRuns: runs });
  }
});

t.test('addresses', async () => {
  const texts = textOf('127.0.0.1', ':', '80', '[', ']', '::1', 'a', '.', '-1', '65536', ' ', '%', '/');
  const property = fc.property(texts, (text) => {
    const address = parseListenAddress(text);
    return address === undefined || (address.port >= 0 && address.port <= 65_535 && address.host !== '');
  });
  fc.assert(property, { numRuns: runs * 2 });
});
