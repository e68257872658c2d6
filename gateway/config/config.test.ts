import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TestAuthority } from '../../conformance/suites/test-authority.js';
import type { CertificateSet } from '../../vice/seam/real/realm-certificates.js';
import { isLoopback, parseListenAddress } from './listen-address.js';
import { nearestName } from './nearest-name.js';
import { OperatorError } from './operator-error.js';
import { readGatewayConfig, readViceConfig } from './role-config.js';

const roleFiles = { data: 'data', realm: 'realm.json', realmKey: 'realm.key' };
const gateway = { ...roleFiles, name: 'g1', listen: '127.0.0.1:8080', users: 'users' };
const tls = { key: 'tls.key', cert: 'tls.crt' };
const files = { certificate: 'x.crt', key: 'x.key', authority: 'ca.crt' };
const vice = { ...roleFiles, name: 's1', listen: 'ws://127.0.0.1:7001' };
const realm = {
  format: 1,
  version: 1,
  realm: 'ab12',
  name: 'office',
  servers: [{ name: 's1', address: 'ws://127.0.0.1:7001' }],
  volumes: [{ id: '7f000001', name: 'root', replicas: [{ id: 's1', server: 's1' }] }],
  rootVolume: '7f000001',
};

interface FolderContents {
  readonly config: object | string;
  readonly realm?: object | string;
  readonly key?: string;
  /** What is in x.crt, x.key and ca.crt. */
  readonly certificates?: CertificateSet;
}

/** A folder with these files; returns the path of the configuration. */
function configIn(test: Test, contents: FolderContents): string {
  const { config } = contents;
  const folder = test.testdir({
    'config.json': textOf(config),
    'realm.json': textOf(contents.realm ?? realm),
    'realm.key': contents.key ?? 'k'.repeat(32),
    'tls.key': 'the key',
    'tls.crt': 'the certificate',
    'x.crt': contents.certificates?.certificate ?? '',
    'x.key': contents.certificates?.key ?? '',
    'ca.crt': contents.certificates?.authority ?? '',
  });
  return join(folder, 'config.json');
}

function textOf(contents: object | string): string {
  return typeof contents === 'string' ? contents : JSON.stringify(contents);
}

/** What the operator is told. */
function complaint(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof OperatorError) return error.message;
    throw error;
  }
  return 'no complaint';
}

t.test('a good configuration is read, paths are relative to its file, defaults are filled in', async (t) => {
  const file = configIn(t, { config: { ...gateway, tls, hosts: ['share.example'] } });
  const config = readGatewayConfig(file);
  t.equal(config.data, join(file, '..', 'data'));
  t.equal(config.users, join(file, '..', 'users'));
  t.same(config.listen, { host: '127.0.0.1', port: 8080 });
  t.same(config.tls, { key: 'the key', cert: 'the certificate' });
  t.same(config.hosts, ['share.example']);
  t.equal(config.prefix, '');
  t.same(config.resolvers, [], 'no command is run unless somebody says so');
  t.equal(config.logLevel, 'info');
  t.equal(config.realmKey, join(file, '..', 'realm.key'));
  t.equal(config.realm.rootVolume, '7f000001');

  const server = readViceConfig(configIn(t, { config: vice }));
  t.equal(server.listen, 'ws://127.0.0.1:7001');
});

t.test('an unknown key is named, with the known one that was meant', async (t) => {
  const typo = complaint(() => readGatewayConfig(configIn(t, { config: { ...gateway, cacheBites: 5 } })));
  t.match(typo, /unknown key "cacheBites"; did you mean "cacheBytes"\?/);
  const foreign = complaint(() => readViceConfig(configIn(t, { config: { ...vice, florentine: true } })));
  t.match(foreign, /unknown key "florentine"; known keys are name, data/);
  const nested = { ...gateway, tls: { ...tls, ca: 'x' } };
  const deep = complaint(() => readGatewayConfig(configIn(t, { config: nested })));
  t.match(deep, /unknown key "tls.ca"/);
});

t.test('every other fault is named with its place', async (t) => {
  const faults: [FolderContents, RegExp][] = [
    [{ config: '{"name": ' }, /config\.json is not valid:\n {2}- line 1: Flow map must end with a }/],
    [{ config: { ...gateway, users: undefined } }, /"users" is missing/],
    [{ config: { ...gateway, listen: '8080' } }, /"listen": must be HOST:PORT/],
    [{ config: { ...gateway, name: 'The Gateway' } }, /"name": must be 1 to 40/],
    [{ config: { ...gateway, prefix: 'share/' } }, /"prefix": must be empty or a path/],
    [{ config: { ...gateway, realm: 'nowhere.json' } }, /nowhere\.json does not exist/],
    [{ config: { ...gateway, resolvers: 'rules.json' } }, /rules\.json does not exist/],
    [
      { config: { ...gateway, resolvers: 'realm.json' } },
      /realm\.json is not valid[^]*"rules"|known keys are format, rules/,
    ],
    [{ config: gateway, key: 'short' }, /realm\.key must hold exactly 32 random bytes, it holds 5/],
    [{ config: gateway, realm: { ...realm, servers: [] } }, /replica on "s1", which is not in "servers"/],
  ];
  for (const [contents, message] of faults) {
    t.match(
      complaint(() => readGatewayConfig(configIn(t, contents))),
      message,
    );
  }
  const people = { ...realm, people: { version: 1 } };
  const { users: _none, ...without } = gateway;
  t.equal(readGatewayConfig(configIn(t, { config: without, realm: people })).users, undefined);
  t.match(
    complaint(() => readViceConfig(configIn(t, { config: vice, realm: people }))),
    /has "people", so "realmTls" must name a certificate/,
  );
  const stranger = complaint(() => readViceConfig(configIn(t, { config: { ...vice, name: 's9' } })));
  t.match(stranger, /lists no server "s9" \(it lists s1\)/);
  t.match(
    complaint(() => readViceConfig('/nonexistent/config.json')),
    /does not exist/,
  );
});

t.test('every fault of a file has its line, whether it is YAML or JSON', async (t) => {
  const yaml = [
    '# the gateway of the second floor',
    'name: g1',
    'listen: 127.0.0.1:8080  # its own machine',
    'data: data',
    'realm: realm.json',
    'realmKey: realm.key',
    'users: users',
    'hosts:',
    '  - share.example',
  ];
  t.same(readGatewayConfig(configIn(t, { config: yaml.join('\n') })).hosts, ['share.example']);
  const json = JSON.stringify({ ...gateway, hosts: ['share.example'] }, null, 2);
  t.same(readGatewayConfig(configIn(t, { config: json })).hosts, ['share.example']);

  const rows: [string, RegExp][] = [
    [`${yaml.join('\n')}\n  - 7`, /line 10: "hosts\.1": /],
    [`${yaml.join('\n')}\ncacheBites: 5`, /line 10: unknown key "cacheBites"; did you mean "cacheBytes"\?/],
    [
      `${yaml.join('\n')}\ntls:\n  key: tls.key\n  crt: tls.crt`,
      /line 10: "tls\.cert" is missing[^]*line 12: unknown key "tls\.crt"/,
    ],
    [`${yaml.join('\n')}\nname: g2`, /line 10: Map keys must be unique/],
    [`${yaml.join('\n')}\nprefix: *other`, /line 10: "\*other" would mean/],
    [`${yaml.join('\n')}\nprefix: !!js/regexp x`, /line 10: Unresolved tag/],
    [yaml.slice(2).join('\n'), /line 1: "name" is missing/],
    [json.replace('"users",', '"users"'), /config\.json is not valid:\n {2}- line \d+: /],
    [json.replace('"share.example"', '7'), /line 9: "hosts\.0": /],
    ['', /line 1: the file: /],
  ];
  for (const [config, message] of rows)
    t.match(
      complaint(() => readGatewayConfig(configIn(t, { config }))),
      message,
    );
});

t.test('so has what only shows when files are held against each other', async (t) => {
  const config = JSON.stringify({ ...vice, name: 's9' }, null, 2);
  const line = config.split('\n').findIndex((each) => each.includes('"name"')) + 1;
  const stranger = complaint(() => readViceConfig(configIn(t, { config })));
  t.match(stranger, new RegExp(`config\\.json:${line}: the realm document lists no server "s9"`));
  const document = JSON.stringify(
    { ...realm, servers: [{ name: 's2', address: 'ws://127.0.0.1:7002' }] },
    null,
    2,
  );
  const at = document.split('\n').findIndex((each) => each.includes('"server": "s1"')) + 1;
  const lost = complaint(() => readGatewayConfig(configIn(t, { config: gateway, realm: document })));
  t.match(lost, new RegExp(`realm\\.json:${at}: volume "root" has a replica on "s1"`));
});

t.test('what machines have written is large, and its faults have lines all the same', async (t) => {
  const servers = Array.from({ length: 900 }, (_, at) => ({
    name: `s${at}`,
    address: `ws://127.0.0.1:${7000 + at}`,
  }));
  const read = (document: object): unknown => {
    const text = JSON.stringify(document, null, 2);
    t.ok(text.length > 64 * 1024);
    return readGatewayConfig(configIn(t, { config: gateway, realm: text }));
  };
  t.ok(read({ ...realm, servers }));
  t.match(
    complaint(() => read({ ...realm, servers: [...servers, { name: 's1' }] })),
    /line 36\d\d: "servers\.900\.address" is missing/,
  );
});

t.test('passwords in the clear stay on loopback, unless told otherwise on purpose', async (t) => {
  const open = { ...gateway, listen: '0.0.0.0:8080' };
  const read = (config: object): string => readGatewayConfig(configIn(t, { config })).listen.host;
  t.match(
    complaint(() => read(open)),
    /0\.0\.0\.0:8080 .* in the clear/,
  );
  t.equal(read({ ...open, allowPlainHttp: true }), '0.0.0.0');
  t.equal(read({ ...open, tls }), '0.0.0.0');
  for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1']) t.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org']) t.notOk(isLoopback(host), host);
});

t.test('addresses as people write them', async (t) => {
  t.same(parseListenAddress('[::1]:80'), { host: '::1', port: 80 });
  t.same(parseListenAddress('localhost:0'), { host: 'localhost', port: 0 });
  for (const text of ['', ':80', 'host', 'host:', 'host:65536', '::1:80', '[host]:80', 'a/b:80', 'host:-1']) {
    t.equal(parseListenAddress(text), undefined, text);
  }
});

t.test('the nearest name is a slip away, not another word', async (t) => {
  t.equal(nearestName('sevrers', ['servers', 'status']), 'servers');
  t.equal(nearestName('S2', ['s1', 's2', 's3']), 's2');
  t.equal(nearestName('florentine', ['name', 'data']), undefined);
  t.equal(nearestName('x', []), undefined);
});

t.test('certificates of the realm: whose they are is looked at before anything starts', async (t) => {
  const authority = new TestAuthority('ab12');
  const secure = { ...vice, listen: 'wss://127.0.0.1:7001', realmTls: files };
  const s1 = authority.issue('server', 's1');
  const file = configIn(t, { config: secure, certificates: s1 });
  t.same(readViceConfig(file).realmTls, {
    certificate: join(file, '..', 'x.crt'),
    key: join(file, '..', 'x.key'),
    authority: join(file, '..', 'ca.crt'),
  });
  const says = (
    config: object,
    certificates: CertificateSet,
    read: (file: string) => unknown = readViceConfig,
  ): string => complaint(() => read(configIn(t, { config, certificates })));
  t.match(says({ ...secure, listen: vice.listen }, s1), /"realmTls" is given, so "listen" must be wss:/);
  t.match(
    says({ ...vice, listen: secure.listen }, s1),
    /"listen" is wss:.*"realmTls" must name a certificate/,
  );
  t.match(says(secure, authority.issue('server', 's2')), /is the certificate of server s2, not of server s1/);
  t.match(
    says(secure, authority.issue('gateway', 's1')),
    /is the certificate of gateway s1, not of server s1/,
  );
  t.match(says({ ...gateway, realmTls: files }, s1, readGatewayConfig), /server s1, not of gateway g1/);
  t.match(
    says(secure, new TestAuthority('cd34').issue('server', 's1')),
    /is of realm cd34, the realm document of ab12/,
  );
  t.match(
    says(secure, authority.issue('server', 's1', { days: [-9, -2] })),
    /"realmTls": .*x\.crt has expired/,
  );
  t.match(says({ ...secure, realmTls: { ...files, ca: 'x' } }, s1), /unknown key "realmTls\.ca"/);
  const g1 = configIn(t, {
    config: { ...gateway, realmTls: files },
    certificates: authority.issue('gateway', 'g1'),
  });
  t.ok(readGatewayConfig(g1).realmTls);
});
