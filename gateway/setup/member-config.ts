/** The configuration file of a server or gateway as `coda realm init` writes it: YAML that explains itself. Pure. */
import { stringify } from 'yaml';
import { formatListenAddress } from '../config/listen-address.js';
import { hasDoor, serverAddress, type KitRealm, type Member } from './member.js';

/** A comment, and the keys below it. */
interface Part {
  readonly says: readonly string[];
  readonly keys: Readonly<Record<string, unknown>>;
}

/** Its name in the folder of `name`. */
export function configName(name: string): string {
  return `${name}.yaml`;
}

/** The file of `member` of a realm; `dataRoot` is on its machine. */
export function configOf(member: Member, realm: KitRealm, dataRoot: string): string {
  const { role } = member;
  const parts = [
    ...shared(member, realm, dataRoot),
    ...(role === 'server' ? server(realm) : gateway(member, realm)),
  ];
  return parts.map(textOf).join('\n');
}

function shared(member: Member, { document }: KitRealm, dataRoot: string): readonly Part[] {
  const { role, name, listen } = member;
  const [what, command, where] =
    role === 'server'
      ? ['Vice server', 'vice', 'As the realm document has it.']
      : ['gateway', 'gateway', 'Where people reach it.'];
  return [
    {
      says: [
        `The ${what} ${name} of the realm ${document.name}: coda ${command} --config FILE`,
        'Paths are relative to this file. It is read at the start.',
      ],
      keys: { name },
    },
    {
      says: [where],
      keys: { listen: role === 'server' ? serverAddress(member) : formatListenAddress(listen) },
    },
    {
      says: ['A folder that nothing else uses; it is made at the first start.'],
      keys: { data: `${dataRoot.replace(/\/$/, '')}/${name}` },
    },
    {
      says: [
        'Which servers and volumes there are, at the first start; and 32 secret bytes that all of the realm have.',
      ],
      keys: { realm: 'realm.json', realmKey: 'realm.key' },
    },
    {
      says: [
        'Who this is. To replace them copy the key first, then the certificate; both are used within seconds.',
      ],
      keys: { realmTls: { certificate: `${name}.crt`, key: `${name}.key`, authority: 'ca.crt' } },
    },
  ];
}

function server({ hasPeople }: KitRealm): readonly Part[] {
  const kept = {
    says: ['Users at the beginning; later ones are in the data folder.'],
    keys: { people: 'people.json' },
  };
  return [
    ...(hasPeople ? [kept] : []),
    {
      says: [
        'Snapshots of every volume, taken by themselves at an hour of UTC. Say the same at every server.',
        'snapshots: {daily: 7, weekly: 4, hour: 1}',
        '',
        'How often all that is here is checked (0: only when asked), and how gently.',
        'scrub: {everyDays: 7, bytesPerSecond: 8388608}',
      ],
      keys: {},
    },
  ];
}

function gateway(member: Member, { document }: KitRealm): readonly Part[] {
  const door = {
    says: ['The certificate that people see.'],
    keys: { tls: { key: 'door.key', cert: 'door.crt' } },
  };
  const own = { says: ['Its users: coda user add NAME --users FILE'], keys: { users: 'users' } };
  return [
    ...(hasDoor(member) ? [door] : []),
    ...(document.people === undefined ? [own] : []),
    {
      says: ['How many bytes of the disk the cache may fill.', 'cacheBytes: 10737418240'],
      keys: {},
    },
  ];
}

function textOf({ says, keys }: Part): string {
  const comment = says.map((line) => (line === '' ? '\n' : `# ${line}\n`)).join('');
  return comment + (Object.keys(keys).length === 0 ? '' : stringify(keys, { lineWidth: 0 }));
}
