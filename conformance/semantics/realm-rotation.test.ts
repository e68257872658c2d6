/**
 * Every certificate and the authority itself are replaced while people work: real servers and gateways, links that stay
 * open. Then who has a certificate of before is refused, and both sides say why.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { issueCertificate, makeAuthority, type Certified } from '../../gateway/x509/certificate.js';
import { identityUri } from '../../vice/interface/index.js';
import { skipWithout, until } from '../program.js';
import { freePorts } from '../realm.js';
import { commandsOf, end, Machines } from './machines.js';
import { People } from './people-at-work.js';

t.setTimeout(600_000);

const members = ['s1', 's2', 's3', 'g1', 'g2'];
const day = 24 * 60 * 60 * 1000;

t.test(
  'another authority and all certificates anew, while people work',
  { skip: skipWithout('curl') },
  async (t) => {
    const machines = new Machines(t, await freePorts(2));
    const lines = commandsOf('## Run it for real', '### Certificates');
    for (const line of lines.slice(0, 13)) await machines.follow(line);
    const file = (name: string): string => readFileSync(machines.at('office', name), 'utf8');
    const old = { certificate: file('ca.crt'), key: file('ca.key') };
    const before = { certificate: file('g2/g2.crt'), key: file('g2/g2.key') };
    // The doors keep theirs: people trust the authority of before.
    writeFileSync(machines.at('doors.crt'), old.certificate);
    const from = new Map(members.map((name) => [name, machines.roles.get(name)?.said.length ?? 0]));
    const people = new People(machines, 'doors.crt');

    const next = makeAuthority('the next authority', { from: Date.now() - day, to: Date.now() + 90 * day });
    const trust = async (text: string): Promise<void> => {
      writeFileSync(machines.at('office/ca.crt'), text);
      for (const name of members)
        await replace(machines, name, () => writeFileSync(machines.at('etc', name, 'ca.crt'), text));
    };
    await trust(`${next.certificate}\n${old.certificate}`);
    writeFileSync(machines.at('office/ca.key'), next.key);
    for (const name of [...members].reverse()) {
      await machines.follow(`coda realm certificate ${name} --realm office`);
      await replace(machines, name, () => {
        for (const part of ['key', 'crt']) {
          copyFileSync(
            machines.at('office', name, `${name}.${part}`),
            machines.at('etc', name, `${name}.${part}`),
          );
        }
      });
    }
    await trust(next.certificate);
    await people.workOn();
    t.same(await people.stop(), [], 'nobody has seen an error');
    for (const name of members) {
      const said = machines.roles.get(name)?.said.slice(from.get(name)) ?? '';
      const lost = said
        .split('\n')
        .filter((line) => /link lost|server down|session closed|peer refused/.test(line));
      t.same(lost, [], `${name} has kept its links`);
    }
    await t.test('who comes with what counts no more', (t) => refusals(t, machines, next, before));
  },
);

/** Until the process uses what `put` has put there. */
async function replace(machines: Machines, name: string, put: () => void): Promise<void> {
  const from = machines.roles.get(name)?.said.length ?? 0;
  put();
  await machines.logged(name, /certificate read/, from);
}

/** A gateway whose certificate is of the old authority, then one whose certificate ends while it runs. */
async function refusals(t: Test, machines: Machines, next: Certified, before: Certified): Promise<void> {
  const { realm } = JSON.parse(readFileSync(machines.at('office/realm.json'), 'utf8')) as { realm: string };
  const restart = async (pair: Certified, authority: string): Promise<void> => {
    const g2 = machines.roles.get('g2');
    if (g2 !== undefined) await end(g2.child);
    writeFileSync(machines.at('etc/g2/g2.crt'), pair.certificate);
    writeFileSync(machines.at('etc/g2/g2.key'), pair.key);
    writeFileSync(machines.at('etc/g2/ca.crt'), authority);
    await machines.start(['gateway', '--config', machines.at('etc/g2/g2.yaml')]);
  };
  const both = `${next.certificate}\n${readFileSync(machines.at('doors.crt'), 'utf8')}`;
  const from = machines.roles.get('s1')?.said.length ?? 0;
  await restart(before, both);
  const foreign = /certificate is not of the authority of this realm/;
  await machines.logged('g2', new RegExp(`s1.*refuses this side: .*${foreign.source}.*dial failed`));
  await machines.logged('s1', new RegExp(`${foreign.source}.*gateway g2.*peer refused`), from);
  t.pass('one of the old authority: both say so');

  const subject = {
    commonName: 'g2',
    purposes: ['client'] as const,
    uris: [identityUri({ realm, role: 'gateway', name: 'g2' })],
    hosts: [],
  };
  const now = Date.now();
  // Long enough to start with; a server that comes back when it is over is dialled anew.
  const over = now + 20_000;
  const short = issueCertificate(next, subject, { from: now - day, to: over });
  await restart(short, next.certificate);
  await machines.logged('g2', /"server":"s1".*server up/);
  const s1 = machines.roles.get('s1');
  if (s1 !== undefined) await end(s1.child);
  await until('the certificate to end', 60_000, () => (Date.now() > over + 1000 ? true : undefined));
  await machines.follow('coda vice --config /etc/coda/s1/s1.yaml');
  await machines.logged('g2', /s1.*refuses this side: its certificate has expired.*dial failed/);
  await machines.logged('s1', /certificate has expired.*gateway g2.*peer refused/);
  t.pass('one that has ended: both say so');
  t.match(machines.roles.get('g2')?.said, /certificate ends soon: issue another one/, 'it was warned');
}
