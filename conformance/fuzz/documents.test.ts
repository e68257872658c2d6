/** Whatever an operator's files hold, the program reads them or says what to put right (OperatorError). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { parseListenAddress } from '../../gateway/config/listen-address.js';
import { OperatorError } from '../../gateway/config/operator-error.js';
import { readGatewayConfig, readRealmDocument, readViceConfig } from '../../gateway/config/role-config.js';
import { alteredJson, runs, textOf } from './hostile.js';

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

t.test('addresses', async () => {
  const texts = textOf('127.0.0.1', ':', '80', '[', ']', '::1', 'a', '.', '-1', '65536', ' ', '%', '/');
  const property = fc.property(texts, (text) => {
    const address = parseListenAddress(text);
    return address === undefined || (address.port >= 0 && address.port <= 65_535 && address.host !== '');
  });
  fc.assert(property, { numRuns: runs * 2 });
});
