/**
 * A realm whose gateways keep users of their own is moved to users of the realm: real servers and gateways, passwords
 * that stay, an upload that is under way.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { run, skipWithout, until, type Ended } from '../program.js';
import { freePorts } from '../realm.js';
import { commandsOf, Machines } from './machines.js';

t.setTimeout(600_000);

const patience = 60_000;
const members = ['s1', 's2', 's3', 'g1', 'g2'];

t.test('users of gateways become users of the realm', { skip: skipWithout('curl') }, async (t) => {
  const machines = new Machines(t, await freePorts(2));
  const lines = commandsOf('## Run it for real', '### Certificates');
  await machines.follow(lines[0] ?? '');
  asBefore(machines);
  for (const line of lines.slice(1, 6)) await machines.follow(line);
  const given = async (name: string, gateway: string, password: string): Promise<void> => {
    writeFileSync(machines.at('password.txt'), password);
    const file = machines.at('etc', gateway, 'users');
    const { code } = await machines.coda(
      'user',
      'add',
      name,
      '--password-file',
      'password.txt',
      '--users',
      file,
    );
    t.equal(code, 0);
  };
  await given('ada', 'g1', 'one');
  await given('ada', 'g2', 'two');
  await given('bob', 'g2', 'bobs');
  for (const line of lines.slice(6, 11)) await machines.follow(line);

  const curl = async (who: string, gateway: string, ...more: readonly string[]): Promise<string> => {
    const [url = ''] = machines.here(`https://${gateway}:8443/${more.at(-1) ?? ''}`);
    const known = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', 'office/ca.crt', '--user', who];
    return (await run('curl', [...known, ...more.slice(0, -1), url], { cwd: machines.folder })).stdout;
  };
  const saved = await until('a server to be reached', patience, async () => {
    const status = await curl('ada:one', '10.0.0.4', '-T', 'plan.txt', 'plan.txt');
    return status === '201' ? status : undefined;
  });
  t.equal(saved, '201');
  t.same(
    [await curl('bob:bobs', '10.0.0.4', 'plan.txt'), await curl('bob:bobs', '10.0.0.5', 'plan.txt')],
    ['401', '200'],
  );
  const list = await machines.coda('user', 'list', '--realm', 'office');
  t.same([list.code, /coda realm people --from FILE/.test(list.output)], [4, true]);

  const people = (...words: readonly string[]): Promise<Ended> =>
    machines.coda(
      'realm',
      'people',
      '--from',
      'etc/g1/users',
      '--from',
      'etc/g2/users',
      ...words,
      '--realm',
      'office',
    );
  const refused = await people();
  t.equal(refused.code, 4);
  t.match(refused.output, /- ada: .*g1\/users, .*g2\/users\n/);
  t.notMatch(refused.output, /bob/);
  t.equal((await people('--first', 'password.txt')).code, 2);

  writeFileSync(machines.at('long'), Buffer.alloc(1_500_000, 1));
  const long = curl('bob:bobs', '10.0.0.5', '--limit-rate', '300K', '-T', 'long', 'long');
  const moved = await people('--first', 'etc/g1/users');
  t.match(moved.stdout, /keep 2 users from now on: ada, bob/);
  t.equal(await long, '201', 'what was under way is finished');
  t.match((await people('--first', 'etc/g1/users')).stdout, /keep them already/, 'said again');
  await until('g1 to know of it', patience, async () =>
    (await curl('bob:bobs', '10.0.0.4', 'plan.txt')) === '200' ? true : undefined,
  );
  t.equal(
    await curl('ada:one', '10.0.0.5', 'plan.txt'),
    '200',
    'ada has the password of the first file, everywhere',
  );
  t.equal(await curl('ada:two', '10.0.0.5', 'plan.txt'), '401');
  t.equal(await curl('bob:bobs', '10.0.0.5', '-T', 'plan.txt', 'again.txt'), '201');
  const there = await until('what bob saved meanwhile to be at the other gateway', patience, async () => {
    const status = await curl('bob:bobs', '10.0.0.4', 'long');
    return status === '200' ? status : undefined;
  });
  t.equal(there, '200');
  t.match((await machines.coda('user', 'list', '--realm', 'office')).stdout, /^ada\nbob\n$/);

  const [add = '', certify = ''] = commandsOf('### One more server', '## Read on');
  await machines.follow(add);
  await machines.follow(`${certify} --data-root ${machines.at('srv')}`);
  await machines.follow('scp -r office/s4 10.0.0.7:/etc/coda/s4');
  await machines.follow('coda vice --config /etc/coda/s4/s4.yaml');
  await machines.logged('s4', /people fetched/);
  t.pass('a server that comes later fetches the people');
});

/** As a realm was written before its servers could keep the people. */
function asBefore(machines: Machines): void {
  rmSync(machines.at('office/people.json'));
  cpSync(machines.at('plan.txt'), machines.at('password.txt'));
  for (const folder of ['.', ...members]) {
    change(machines.at('office', folder, 'realm.json'), ({ people: _none, ...document }) => document);
  }
  for (const name of members) {
    const own = name.startsWith('g') ? { users: 'users' } : {};
    change(machines.at('office', name, `${name}.yaml`), ({ people: _none, ...config }) => ({
      ...config,
      ...own,
    }));
    rmSync(machines.at('office', name, 'people.json'), { force: true });
  }
}

function change(file: string, how: (document: Record<string, unknown>) => object): void {
  // JSON is YAML, too.
  const document = parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(how(document)));
}
