/**
 * "Run it for real", line by line: the commands are read out of the README and carried out, with addresses of the
 * loopback in place of five machines. Then who must not come in knocks, and certificates are replaced under way.
 */
import { cpSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../gateway/x509/certificate.js';
import { identityUri, isFailure, signCredential, type Role } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import type { CertificateSet } from '../../vice/seam/real/realm-certificates.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { run, skipWithout, until, type Ended } from '../program.js';
import { freePorts } from '../realm.js';
import { TestAuthority } from '../suites/test-authority.js';
import { commandsOf, Machines } from './machines.js';

t.setTimeout(600_000);

const patience = 60_000;
const day = 24 * 60 * 60 * 1000;

t.test('the README, from nothing to a share', { skip: skipWithout('curl') }, async (t) => {
  const machines = new Machines(t, await freePorts(2));
  const lines = commandsOf('## Run it for real', '### Certificates');
  t.equal(lines.length, 16, 'init, five copies, five starts, a list, two transfers, a user, a group');
  const shown: string[] = [];
  for (const line of lines) {
    shown.push(await machines.follow(line));
    t.pass(line);
  }
  t.equal(shown[13], 'the plan', 'what was written at one gateway is read at the other');
  await t.test('the servers keep the people', (t) => peopleOf(t, machines));

  await t.test('servers and gateways speak TLS, as whom their certificates say', async (t) => {
    const list = await machines.coda('server', 'list', '--realm', 'office', '--json');
    const { servers } = JSON.parse(list.stdout) as { servers: { address: string; answers: boolean }[] };
    t.equal(servers.filter(({ address, answers }) => address.startsWith('wss:') && answers).length, 3);
    await machines.logged('s1', /session opened.*"role":"server","name":"s2"|"name":"s2".*session opened/);
    await machines.logged('s1', /"name":"g1\/\w+".*session opened/);
  });
  await t.test('init again overwrites nothing', (t) => saidAgain(t, machines, lines[0] ?? ''));
  await t.test('who must not come in is refused', (t) => knocks(t, machines));
  await t.test('a configuration with a wrong certificate does not start', (t) => wrongFiles(t, machines));
  await t.test('certificates are replaced under a running server', (t) => replaced(t, machines));
  await t.test('a stolen gateway is out, and comes back with a new certificate', (t) => revoked(t, machines));
  await t.test('one more server, as the README has it', (t) => oneMore(t, machines));
});

/** Bob has the password of the README's `password.txt`, which is ada's. */
async function peopleOf(t: Test, machines: Machines): Promise<void> {
  const status = async (user: string, gateway: string, ...more: readonly string[]): Promise<string> => {
    const [url = ''] = machines.here(`https://${gateway}:8443/plan.txt`);
    const known = ['--cacert', 'office/ca.crt', '--user', `${user}:${machines.password}`, ...more];
    const asked = ['-s', '-o', machines.at('body'), '-w', '%{http_code}', ...known, url];
    return (await run('curl', asked, { cwd: machines.folder })).stdout;
  };
  const user = (...words: readonly string[]): Promise<Ended> =>
    machines.coda('user', ...words, '--realm', 'office');
  t.same(
    [await status('bob', '10.0.0.4'), await status('bob', '10.0.0.5')],
    ['200', '200'],
    'at each gateway',
  );
  t.equal(await status('eve', '10.0.0.4'), '401');
  t.match((await user('list')).stdout, /^ada\nbob\n$/);
  const members = await machines.coda('group', 'members', 'staff', '--realm', 'office');
  t.match(members.stdout, /^ada\nbob\n$/);
  const stranger = await machines.coda('group', 'add', 'staff', 'eve', '--realm', 'office');
  t.same([stranger.code, /no user and no group eve/.test(stranger.output)], [4, true]);
  t.equal((await user('add', 'bob')).code, 4);
  t.equal((await user('disable', 'bob')).code, 0);
  await until(
    'bob to be out',
    patience,
    async () => (await status('bob', '10.0.0.4')) === '401' || undefined,
  );
  t.match((await user('list')).stdout, /^bob \(disabled\)$/m);
  t.equal((await user('enable', 'bob')).code, 0);
  await until(
    'bob to be in again',
    patience,
    async () => (await status('bob', '10.0.0.4')) === '200' || undefined,
  );
  t.equal(await status('bob', '10.0.0.4', '-T', 'plan.txt'), '204', 'and may save');
  const loginTime = (...words: readonly string[]): Promise<Ended> =>
    machines.coda('realm', 'login-time', ...words, '--realm', 'office');
  t.match((await loginTime()).stdout, /^a login is good for 3 d$/m);
  t.match((await loginTime('8h')).stdout, /^a login is good for 8 h from now on$/m);
  t.match((await loginTime('8h', '--json')).stdout, /^\{"seconds":28800,"changed":false\}$/m, 'said again');
  t.match((await loginTime('usual')).stdout, /3 d from now on/);
  t.same([(await loginTime('8')).code, (await loginTime('91d')).code], [2, 2]);
  const audit = await machines.coda('realm', 'audit', '--realm', 'office', '--verify');
  for (const line of [/ bob +gateway g\d +login/, / eve +gateway g1 +login-refused +why="no such user"/]) {
    t.match(audit.stdout, line, 'and remember it');
  }
  t.match(audit.stdout, / administrator administrator +change-people +change="disable-user" user="bob"/);
  t.match(audit.stdout, /All entries are there/);
  t.notOk(audit.stdout.includes(machines.password));
  const logs = [...machines.roles.values()].map(({ said }) => said).join('');
  t.match(logs, /"user":"bob".*"msg":"login"|"msg":"login".*"user":"bob"/, 'servers log who came in');
  t.notOk(logs.includes(machines.password), 'no log has a password');
}

async function saidAgain(t: Test, machines: Machines, init: string): Promise<void> {
  const files = [
    'realm.json',
    'realm.key',
    'people.json',
    'ca.key',
    's1/s1.key',
    'g2/door.crt',
    'g1/g1.yaml',
  ];
  const texts = (): string[] => files.map((file) => readFileSync(machines.at('office', file), 'hex'));
  const before = texts();
  t.match(await machines.follow(init), /0 files made; \d+ files existed/);
  t.same(texts(), before);
}

/** At the door of s1, with certificates that are good but for one thing. */
async function knocks(t: Test, machines: Machines): Promise<void> {
  const { realm } = JSON.parse(readFileSync(machines.at('office/realm.json'), 'utf8')) as { realm: string };
  const file = (name: string): string => readFileSync(machines.at('office', name), 'utf8');
  const authority = { certificate: file('ca.crt'), key: file('ca.key') };
  const subject = (role: Role, name: string) => ({
    commonName: name,
    purposes: ['client'] as const,
    uris: [identityUri({ realm, role, name })],
    hosts: [],
  });
  const now = Date.now();
  const g1 = { certificate: file('g1/g1.crt'), key: file('g1/g1.key') };
  const expired = issueCertificate(authority, subject('gateway', 'g1'), {
    from: now - 9 * day,
    to: now - day,
  });
  const foreign = new TestAuthority(realm).issue('gateway', 'g1');
  const door = { certificate: file('g1/door.crt'), key: file('g1/door.key') };
  const knock = async (
    pair: { certificate: string; key: string },
    role: Role,
    name: string,
  ): Promise<string> => {
    const identity = { realm, role, name };
    const set: CertificateSet = { ...pair, authority: authority.certificate, identity, validTo: now + day };
    const network = wsNetwork({ clock: systemClock(), log: silentLog, certificates: { current: () => set } });
    const key = readFileSync(machines.at('office/realm.key'));
    const credential = signCredential(key, realm, identity, now + day);
    const [address = ''] = machines.here('wss://10.0.0.1:7001');
    try {
      (await network.dial(address, { credential: () => credential, server: 's1', onPush() {} })).close();
      return 'came in';
    } catch (error) {
      if (!isFailure(error)) throw error;
      return error.message;
    }
  };
  t.equal(await knock(g1, 'gateway', 'g1'), 'came in', 'with its own certificate, to compare');
  for (const [what, pair, role, name, reason] of [
    ['of another authority', foreign, 'gateway', 'g1', /not of the authority of this realm/],
    ['expired', expired, 'gateway', 'g1', /has expired/],
    ['that of a gateway, as a server', g1, 'server', 's2', /calls as server s2, but .* gateway g1/],
    [
      'that of a gateway, as an administrator',
      g1,
      'operator',
      'g1',
      /calls as operator g1, but .* gateway g1/,
    ],
    ['that of a door', door, 'gateway', 'g1', /another purpose/],
  ] as const) {
    const from = machines.roles.get('s1')?.said.length;
    t.match(await knock(pair, role, name), reason, `${what}: refused`);
    await machines.logged('s1', reason, from);
    t.pass(`${what}: s1 says so, too`);
  }
}

async function wrongFiles(t: Test, machines: Machines): Promise<void> {
  mkdirSync(machines.at('etc/x'));
  cpSync(machines.at('etc/g1'), machines.at('etc/x'), { recursive: true });
  copyFileSync(machines.at('office/s1/s1.crt'), machines.at('etc/x/g1.crt'));
  copyFileSync(machines.at('office/s1/s1.key'), machines.at('etc/x/g1.key'));
  const ended = await machines.coda('gateway', '--config', machines.at('etc/x/g1.yaml'));
  t.equal(ended.code, 2);
  t.match(ended.output, /"realmTls": .*g1\.crt is the certificate of server s1, not of gateway g1/);
}

async function replaced(t: Test, machines: Machines): Promise<void> {
  const [, issue = ''] = commandsOf('### Certificates', '### Configuration files');
  t.equal(issue, 'coda realm certificate s1 --realm office');
  await machines.follow(issue);
  const from = machines.roles.get('s1')?.said.length ?? 0;
  for (const end_ of ['key', 'crt']) {
    copyFileSync(machines.at(`office/s1/s1.${end_}`), machines.at(`etc/s1/s1.${end_}`));
  }
  await machines.logged('s1', /certificate read/, from);
  await machines.follow('curl --cacert office/ca.crt --user ada -T plan.txt https://10.0.0.4:8443/again.txt');
  t.equal(
    await machines.follow('curl --cacert office/ca.crt --user ada https://10.0.0.5:8443/again.txt'),
    'the plan',
  );
  t.notMatch(machines.roles.get('s1')?.said.slice(from), /session closed/, 'no link was closed');
  const list = await machines.coda('server', 'list', '--realm', 'office');
  t.notMatch(list.output, /does not answer/, 'a new link is opened with it');
}

async function revoked(t: Test, machines: Machines): Promise<void> {
  const [, , revoke = ''] = commandsOf('### Certificates', '### Configuration files');
  t.equal(revoke, 'coda realm revoke g2 --realm office');
  const from = machines.roles.get('s3')?.said.length ?? 0;
  await machines.follow(revoke);
  await machines.logged('s3', /"peer":"g2\/.*certificate was revoked.*session closed/, from);
  t.pass('its link is closed');
  await machines.logged('s3', /certificate was revoked on .*gateway g2.*peer refused/, from);
  await machines.logged('g2', /refuses this side: its certificate was revoked on .*dial failed/);
  t.pass('and it does not come in again, and both say why');
  const save = 'curl --cacert office/ca.crt --user ada -T plan.txt https://10.0.0.5:8443/alone.txt';
  await machines.follow(save);
  t.match((await machines.coda('realm', 'list', 'office')).stdout, /gateway g2 .*revoked/);
  const g1 = await machines.follow('curl --cacert office/ca.crt --user ada https://10.0.0.4:8443/plan.txt');
  t.equal(g1, 'the plan', 'nobody else is touched');
  await machines.follow('coda realm certificate g2 --realm office');
  for (const end_ of ['key', 'crt']) {
    copyFileSync(machines.at(`office/g2/g2.${end_}`), machines.at(`etc/g2/g2.${end_}`));
  }
  const alone = 'curl --cacert office/ca.crt --user ada https://10.0.0.4:8443/alone.txt';
  t.equal(await machines.follow(alone), 'the plan', 'what was saved there meanwhile arrives');
  t.notMatch((await machines.coda('realm', 'list', 'office')).stdout, /revoked/);
}

async function oneMore(t: Test, machines: Machines): Promise<void> {
  const [add = '', certify = '', replica = ''] = commandsOf('### One more server', '## Read on');
  await machines.follow(add);
  await machines.follow(`${certify} --data-root ${machines.at('srv')}`);
  await machines.follow('scp -r office/s4 10.0.0.7:/etc/coda/s4');
  await machines.follow('coda vice --config /etc/coda/s4/s4.yaml');
  t.match(await machines.follow(replica), /s4/);
  const info = await machines.coda('volume', 'info', 'root', '--realm', 'office');
  t.match(info.output, /s4/);
  t.notMatch(info.output, /filling/);
}
