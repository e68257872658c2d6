/** Where in a file what is: every fault of a configuration, of a realm document and of rules bears its line. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigText } from './config-text.js';
import { OperatorError } from './operator-error.js';
import { readGatewayConfig, readPeople, readRealmDocument, readViceConfig } from './role-config.js';

const gateway = `{
  "name": "g1",
  "listen": "127.0.0.1:8080",
  "data": "data",
  "realm": "realm.json",
  "realmKey": "realm.key",
  "users": "users"
}`;
const vice = `{
  "name": "s1",
  "listen": "ws://127.0.0.1:7001",
  "data": "data",
  "realm": "realm.json",
  "realmKey": "realm.key",
  "scrub": {
    "everyDays": 7
  }
}`;
const realm = `{
  "format": 1,
  "version": 1,
  "realm": "ab12",
  "name": "office",
  "servers": [
    { "name": "s1", "address": "ws://127.0.0.1:7001" },
    { "name": "s2", "address": "ws://127.0.0.1:7002" }
  ],
  "volumes": [
    {
      "id": "7f000001",
      "name": "root",
      "replicas": [
        { "id": "s1", "server": "s1" },
        { "id": "s2", "server": "s2" }
      ]
    }
  ],
  "rootVolume": "7f000001",
  "groups": {
    "staff": ["ada"]
  }
}`;
const rules = `{
  "format": 1,
  "rules": [
    {
      "match": "*.log",
      "command": ["/bin/true"]
    }
  ]
}`;

/** What `read` says of `text`, with `from` changed into `to`, in a folder where everything else is well. */
function said(t: Test, text: string, from: string, to: string, read: (file: string) => unknown): string {
  t.ok(text.includes(from), from);
  const folder = t.testdir({ 'realm.json': realm, 'realm.key': 'k'.repeat(32), 'rules.json': rules });
  const file = join(folder, 'it.json');
  writeFileSync(file, text.replace(from, to));
  try {
    read(file);
    return 'nothing';
  } catch (error) {
    if (error instanceof OperatorError && error.kind === 'usage') return error.message.replaceAll(folder, '');
    throw error;
  }
}

type Row = readonly [from: string, to: string, says: RegExp];

const tables: readonly (readonly [string, string, (file: string) => unknown, readonly Row[]])[] = [
  [
    'a gateway',
    gateway,
    readGatewayConfig,
    [
      ['"data": "data",', '"data": "data"', /line 5: Missing , between/],
      ['"users": "users"\n}', '"users": "users"', /line 7: Flow map must end with a }/],
      ['"g1"', '"g1', /line 2: Implicit keys need to be on a single line/],
      ['"g1"', '"g\\1"', /line 2: Invalid escape sequence/],
      ['"name": "g1"', '// who\n  "name": "g1"', /line 2: /],
      ['"users": "users"', '"name": "g2"', /line 7: Map keys must be unique/],
      ['"users"', '"cacheBites"', /- line 7: unknown key "cacheBites"; did you mean "cacheBytes"\?/],
      [
        '"data": "data"',
        '"florentine": 1',
        /- line 1: "data" is missing\n {2}- line 4: unknown key "florentine"; known/,
      ],
      ['"data": "data"', '"data": 7', /- line 4: "data": Invalid input: expected string, received number/],
      ['"127.0.0.1:8080"', '"8080"', /- line 3: "listen": must be HOST:PORT/],
      ['"127.0.0.1:8080"', '"0.0.0.0:8080"', /in \/it\.json:3, or "allowPlainHttp"/],
      [',\n  "users": "users"', '', /it\.json:1: "users" is missing: the realm document has no "people"/],
      ['"realm.json"', '"none.json"', /none\.json does not exist.*\n\(named by "realm" in \/it\.json:5\)/],
      ['"realm.key"', '"realm.json"', /must hold exactly 32 .*\n\(named by "realmKey" in \/it\.json:6\)/],
      ['"users": "users"', '"hosts": ["a",\n 5]', /- line 8: "hosts\.1": Invalid input/],
      [
        '"users": "users"',
        '"tls": {\n  "key": "x",\n "crt": "y"}',
        /- line 7: "tls\.cert" is missing\n.*line 9: .*"tls\.crt".*"cert"/,
      ],
      [
        '"users": "users"',
        '"tls": {"key": "x",\n "cert": "y"}',
        /x does not exist.*\n\(named by "tls\.key" in \/it\.json:7\)/,
      ],
      [
        '"users": "users"',
        '"users": "users", "resolvers": "realm.json"',
        /realm\.json is not valid:[^]*\(named by "resolvers" in \/it\.json:7\)/,
      ],
    ],
  ],
  [
    'a server',
    vice,
    readViceConfig,
    [
      ['"s1"', '"s9"', /it\.json:2: the realm document lists no server "s9"/],
      ['"ws:', '"wss:', /it\.json:3: "listen" is wss:/],
      [
        '"everyDays": 7',
        '"everyDay": 7',
        /- line 8: unknown key "scrub\.everyDay"; did you mean "everyDays"/,
      ],
      ['"everyDays": 7', '"bytesPerSecond": 1', /- line 8: "scrub\.bytesPerSecond": Too small/],
      [
        '{\n    "everyDays": 7\n  }',
        '[]',
        /- line 7: "scrub": Invalid input: expected object, received array/,
      ],
    ],
  ],
  [
    'a realm document',
    realm,
    readRealmDocument,
    [
      [
        '"address": "ws://127.0.0.1:7002"',
        '"adress": "x"',
        /- line 8: "servers\.1\.address" is missing\n.*line 8: .*"address"\?/,
      ],
      ['"id": "s2", "server": "s2"', '"id": "s2"', /- line 16: "volumes\.0\.replicas\.1\.server" is missing/],
      ['"server": "s2"', '"server": "s7"', /it\.json:16: volume "root" has a replica on "s7"/],
      ['"id": "7f000001"', '"id": "root"', /- line 12: "volumes\.0\.id"/],
      ['"ada"', '5', /- line 22: "groups\.staff\.0"/],
      [
        '"groups": {',
        '"mirrors": {',
        /- line 21: unknown key "mirrors"; if a newer version of coda wrote it, leave it there/,
      ],
    ],
  ],
  [
    'rules of resolvers',
    gateway.replace('"users": "users"', '"users": "users", "resolvers": "rules2.json"'),
    (file) => {
      writeFileSync(join(file, '..', 'rules2.json'), rules.replace('"match"', '"mach"'));
      return readGatewayConfig(file);
    },
    [
      [
        '"g1"',
        '"g1"',
        /rules2\.json is not valid:\n {2}- line 4: "rules\.0\.match" is missing\n {2}- line 5: .*"match"\?/,
      ],
    ],
  ],
  [
    'people',
    '{\n"format": 1,\n"users": [\n{"name": 1}]\n}',
    readPeople,
    [['1}', '1}', /- line 4: "users\.0\.name"/]],
  ],
];

for (const [what, text, read, rows] of tables) {
  t.test(`${what}: every fault with its line`, async (t) => {
    for (const [from, to, says] of rows) t.match(said(t, text, from, to, read), says, to);
  });
}

t.test('a file that is nested for ever, or very long, is told and takes no time', async (t) => {
  const nested = [
    '['.repeat(1_000_000),
    `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    '- '.repeat(5_000),
    Array.from({ length: 900 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
    '? '.repeat(5_000),
  ];
  for (const text of nested) t.match(new ConfigText(text).faults[0], /nested too deeply|longer than a file/);
  t.match(new ConfigText(`a: ${'x\n'.repeat(600_000)}`).faults[0], /longer than a file/);
  const long = new ConfigText(`[${'1,\n'.repeat(20_000)}x: y: z]`);
  t.match(long.faults[0], /line 20001: /);
});

t.test('a path that leads nowhere has the line of what it should be in', async (t) => {
  const text = new ConfigText('a:\n  b:\n    - c: 1\n    - d: 2\n');
  const lines = [[], ['a'], ['a', 'b', 1], ['a', 'b', 1, 'd'], ['a', 'b', 1, 'x'], ['a', 'b', 7, 'x'], ['z']];
  t.same(
    lines.map((path) => text.line(path)),
    [1, 1, 4, 4, 4, 2, 1],
  );
});
