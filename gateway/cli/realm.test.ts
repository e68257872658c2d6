/** `coda realm`: what it makes, what it leaves alone, what it refuses. */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { coda } from '../../conformance/coda-command.js';
import { readGatewayConfig, readViceConfig } from '../config/role-config.js';

t.setTimeout(600_000);

const servers = ['--server', 's1=127.0.0.2:9', '--server', 's2=[::1]:9'];
const gateways = ['--gateway', 'g1', '--gateway', 'g2=files.example:8443'];
const made = z.object({ made: z.array(z.string()), exists: z.array(z.string()) });
const listed = z.object({
  certificates: z.array(
    z.object({ name: z.string(), file: z.string(), until: z.string(), state: z.string() }),
  ),
});

async function office(t: Test): Promise<string> {
  const folder = join(t.testdir({}), 'office');
  const { code, stderr } = await coda(
    t,
    'realm',
    'init',
    folder,
    '--name',
    'office',
    ...servers,
    ...gateways,
  );
  t.equal(code, 0, stderr);
  return folder;
}

/** Path -> contents of every file. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const plain = files.filter((file) => statSync(join(folder, file)).isFile());
  return new Map(plain.map((file) => [file, readFileSync(join(folder, file), 'hex')]));
}

t.test('what init says in comments can be said in earnest', async (t) => {
  const folder = await office(t);
  const earnest = (name: string): string => {
    const file = join(folder, `${name}/${name}.yaml`);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/^# (?=[a-z]+: )/gim, ''));
    return file;
  };
  const s2 = readViceConfig(earnest('s2'));
  t.same(s2.snapshots, { daily: 7, weekly: 4, hour: 1 });
  t.equal(s2.scrub.everyDays, 7);
  t.equal(readGatewayConfig(earnest('g2')).cacheBytes, 10 * 2 ** 30);
});

t.test('init writes what servers and gateways start with', async (t) => {
  const folder = await office(t);
  for (const file of contents(folder).keys()) {
    if (!file.endsWith('.key') && !file.endsWith('people.json')) continue;
    t.equal(statSync(join(folder, file)).mode & 0o777, 0o600, `${file} is secret`);
  }
  const s2 = readViceConfig(join(folder, 's2/s2.yaml'));
  t.equal(s2.listen, 'wss://[::1]:9');
  t.equal(s2.data, '/srv/coda/s2');
  t.equal(s2.realm.name, 'office');
  t.equal(s2.realm.servers[1]?.address, s2.listen, 'as the realm document has it');
  t.equal(s2.realm.volumes[0]?.replicas.length, 2);
  t.equal(s2.people?.users.length, 1);
  t.same(s2.realm.groups, { 'System:Administrators': [s2.people?.users[0]?.name] });
  const g1 = readGatewayConfig(join(folder, 'g1/g1.yaml'));
  t.same(g1.listen, { host: '127.0.0.1', port: 8080 });
  t.equal(g1.tls, undefined, 'it serves its own machine');
  const g2 = readGatewayConfig(join(folder, 'g2/g2.yaml'));
  const door = new X509Certificate(g2.tls?.cert ?? '');
  t.equal(door.checkHost('files.example'), 'files.example');
  t.notMatch(door.subjectAltName, 'coda:', 'nobody of the realm');
  t.notOk(contents(folder).has('g1/people.json'), 'what signs logins no gateway has');
  t.notOk(contents(folder).has('s1/ca.key'), 'the key of the authority goes nowhere');
  t.match(readFileSync(join(folder, 'systemd/coda-vice@.service'), 'utf8'), '--config /etc/coda/%i/%i.yaml');
});

t.test('said again it overwrites nothing, and makes what a run that was ended did not', async (t) => {
  const folder = await office(t);
  const before = contents(folder);
  const again = async (): Promise<z.infer<typeof made>> => {
    const { stdout } = await coda(t, 'realm', 'init', folder, ...servers, ...gateways, '--json');
    return made.parse(JSON.parse(stdout));
  };
  t.same((await again()).made, []);
  t.same(contents(folder), before);

  const lost = ['s2/s2.crt', 'g1/g1.yaml', 'g2/door.crt'];
  for (const file of lost) rmSync(join(folder, file));
  const { made: mended } = await again();
  t.same(
    mended.map((file) => file.slice(folder.length + 1)).sort(),
    ['g1/g1.yaml', 'g2/door.crt', 'g2/door.key', 's2/s2.crt', 's2/s2.key'],
    'with new keys where the certificate was missing',
  );
  t.ok(readViceConfig(join(folder, 's2/s2.yaml')).realmTls);
});

t.test('init refuses what it cannot make', async (t) => {
  const folder = await office(t);
  const before = contents(folder);
  const init = (...options: readonly string[]) => coda(t, 'realm', 'init', ...options);
  const other = await init(folder, '--server', 's1=10.0.0.9:7001');
  t.equal(other.code, 4);
  t.match(other.stderr, /has s1 at wss:\/\/127\.0\.0\.2:9, not wss:\/\/10\.0\.0\.9:7001/);
  const more = await init(folder, '--server', 's3=10.0.0.3:7001');
  t.equal(more.code, 4);
  t.match(more.stderr, /coda server add s3 wss:\/\/10\.0\.0\.3:7001 --realm/);
  t.match((await init(folder, '--name', 'home')).stderr, /has the realm office already/);
  t.same(contents(folder), before);
  const empty = join(t.testdirName, 'empty');
  for (const [options, says] of [
    [[], /one --server/],
    [['--server', 's1'], /NAME=HOST:PORT/],
    [['--server', 's1=10.0.0.1'], /NAME=HOST:PORT/],
    [['--server', 'S1=10.0.0.1:1'], /"S1" is no name/],
    [['--server', 'ca=10.0.0.1:1'], /"ca" is the name of a file/],
    [['--server', 'x=10.0.0.1:1', '--gateway', 'x'], /Two are named "x"/],
  ] as const) {
    const { code, stderr } = await init(empty, ...options);
    t.equal(code, 2, options.join(' '));
    t.match(stderr, says);
  }
});

t.test('certificate: for somebody new, and again; list: until when', async (t) => {
  const folder = await office(t);
  const issue = (...options: readonly string[]) =>
    coda(t, 'realm', 'certificate', ...options, '--realm', folder);
  const before = contents(folder);
  t.equal((await issue('s1')).code, 0);
  t.equal((await issue('g2')).code, 0);
  const after = contents(folder);
  const changed = [...after.keys()].filter((file) => after.get(file) !== before.get(file));
  t.same(changed, ['g2/door.crt', 'g2/door.key', 'g2/g2.crt', 'g2/g2.key', 's1/s1.crt', 's1/s1.key']);
  t.ok(readViceConfig(join(folder, 's1/s1.yaml')).realmTls, 'key and certificate fit');
  const ca = new X509Certificate(readFileSync(join(folder, 'ca.crt')));
  t.ok(new X509Certificate(readFileSync(join(folder, 'g2/door.crt'))).verify(ca.publicKey));

  t.equal((await issue('g3', '--gateway', '10.0.0.12:8443')).code, 0);
  t.ok(readGatewayConfig(join(folder, 'g3/g3.yaml')).tls);
  t.equal((await issue('ada', '--administrator')).code, 0);
  const asked = await coda(t, 'server', 'list', '--realm', join(folder, 'ada'));
  t.equal(asked.code, 3, 'her folder is a way into the realm, whose servers are not there');
  const nobody = await issue('s9');
  t.equal(nobody.code, 4);
  t.match(nobody.stderr, /has no "s9".*coda server add s9/);
  const elsewhere = await coda(t, 'realm', 'certificate', 's1', '--realm', join(folder, 's1'));
  t.match(elsewhere.stderr, /ca\.key is missing/, 'only where the authority is');

  const { stdout } = await coda(t, 'realm', 'list', folder, '--json');
  const { certificates } = listed.parse(JSON.parse(stdout));
  t.same(
    certificates.map(({ name }) => name),
    [
      ...[
        'administrator administrator',
        'the authority',
        'administrator ada',
        'gateway g1',
        'the door at files.example',
      ],
      ...['gateway g2', 'the door at 10.0.0.12', 'gateway g3', 'server s1', 'server s2'],
    ],
  );
  for (const { name, until, state } of certificates) {
    const days = (Date.parse(until) - Date.now()) / 86_400_000;
    t.ok(name === 'the authority' ? days > 3600 : days > 390 && days < 398, `${name}: ${until}`);
    t.equal(state, '');
  }
});
