/**
 * The realm key is renewed while people work: real servers and gateways, links that stay open, nobody sees an error.
 * Then who has the old key alone is refused, and both sides say why.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { skipWithout } from '../program.js';
import { freePorts } from '../realm.js';
import { commandsOf, end, Machines } from './machines.js';
import { People } from './people-at-work.js';

t.setTimeout(600_000);

const members = ['s1', 's2', 's3', 'g1', 'g2'];

t.test('a new realm key, while people work', { skip: skipWithout('curl') }, async (t) => {
  const machines = new Machines(t, await freePorts(2));
  const lines = commandsOf('## Run it for real', '### Certificates');
  for (const line of lines.slice(0, 13)) await machines.follow(line);
  const old = readFileSync(machines.at('office/realm.key'));
  const from = lengths(machines);
  const people = new People(machines);
  t.match((await key(machines, 'status')).stdout, /^There is one realm key/);
  t.equal((await key(machines, 'end')).code, 0, 'nothing to end');

  const begun = await key(machines, 'renew');
  t.match(begun.stdout, /office\/s1\/realm\.key 127\.0\.0\.2:\/etc\/coda\/s1\/realm\.key/);
  const both = readFileSync(machines.at('office/realm.key'));
  t.same([both.length, both.subarray(32)], [64, old]);
  t.match((await key(machines, 'renew')).stdout, /under way already/, 'said again it begins no other one');
  t.same(readFileSync(machines.at('office/g2/realm.key')), both);

  for (const name of ['g1', 's1', 's3', 's2']) await give(machines, name);
  // Who has read the key asks a server that had not again two seconds later (PD-2).
  await machines.settled(['gateway g2 speaks with the old key still']);
  const early = await machines.coda('realm', 'key', 'end', '--realm', 'office');
  t.equal(early.code, 4);
  t.match(early.output, /- gateway g2 speaks with the old key still\n/);
  t.notMatch(early.output, /gateway g1|has not got/);
  t.same(readFileSync(machines.at('office/realm.key')), both, 'refused: nothing is changed');
  await give(machines, 'g2');
  await machines.settled();
  t.match((await key(machines, 'status')).stdout, /speak with the new key\. Then: .*realm key end/);

  t.equal((await key(machines, 'end')).code, 0);
  for (const name of members) await give(machines, name);
  await people.workOn();
  const logins = await machines.coda('realm', 'login-key', 'renew', '--realm', 'office');
  t.match(logins.stdout, /Every login that there was is over/);
  await people.workOn();
  t.match((await machines.coda('realm', 'audit', '--realm', 'office')).stdout, /change="renew-login-key"/);
  t.same(await people.stop(), [], 'nobody has seen an error');
  for (const name of members) {
    const said = machines.roles.get(name)?.said.slice(from.get(name)) ?? '';
    const lost = said
      .split('\n')
      .filter((line) => /link lost|server down|"role":"(gateway|server)".*session closed/.test(line));
    t.same(lost, [], `${name} has kept its links`);
  }
  await t.test('who has the old key alone is refused', (t) => stale(t, machines, old));
});

async function stale(t: Test, machines: Machines, old: Buffer): Promise<void> {
  const g2 = machines.roles.get('g2');
  if (g2 !== undefined) await end(g2.child);
  writeFileSync(machines.at('etc/g2/realm.key'), old);
  const from = machines.roles.get('s1')?.said.length ?? 0;
  await machines.start(['gateway', '--config', machines.at('etc/g2/g2.yaml')]);
  await machines.logged(
    'g2',
    /s1.*refuses this side: it does not prove itself with a realm key.*dial failed/,
  );
  await machines.logged(
    's1',
    /realm key that counts here \(it says gateway g2\).*realm\.key.*peer refused/,
    from,
  );
  t.pass('both say why');
  copyFileSync(machines.at('office/g2/realm.key'), machines.at('etc/g2/realm.key'));
  await machines.logged('g2', /"server":"s1".*server up/);
  t.pass('with the new file it comes in, without a restart');

  copyFileSync(machines.at('office/realm.key'), machines.at('new.key'));
  writeFileSync(machines.at('office/realm.key'), old);
  const refused = await machines.coda('server', 'list', '--realm', 'office');
  t.match(refused.output, /realm key that counts here/, 'so is an administrator');
  copyFileSync(machines.at('new.key'), machines.at('office/realm.key'));

  // A thief who came in before the end is hung up on: nobody of the realm stays with a key that counts no more.
  writeFileSync(machines.at('etc/s1/realm.key'), Buffer.alloc(32, 1));
  await machines.logged(
    's1',
    /"role":"gateway","name":"g1\/.*session closed|g1\/.*realm key that it has proved/,
  );
  t.pass('links that were proved with another key are closed');
}

function key(machines: Machines, ...words: readonly string[]) {
  return machines.coda('realm', 'key', ...words, '--realm', 'office');
}

function lengths(machines: Machines): Map<string, number> {
  return new Map(members.map((name) => [name, machines.roles.get(name)?.said.length ?? 0]));
}

/** As `scp` does; until the process has read it. */
async function give(machines: Machines, name: string): Promise<void> {
  const from = machines.roles.get(name)?.said.length ?? 0;
  copyFileSync(machines.at('office', name, 'realm.key'), machines.at('etc', name, 'realm.key'));
  await machines.logged(name, /realm key read/, from);
}
