/** `coda realm key`: the secret that all parties of a realm have, renewed while everybody works. */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keyMark, type RealmDocument } from '../../vice/interface/index.js';
import { keyLaggards } from '../administration/key-standing.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { readRealmDocument } from '../config/role-config.js';
import { realmPaths } from '../realm/realm-folder.js';
import { beginRenewal, copyToMembers, endRenewal, keysIn } from '../setup/realm-key.js';
import { print } from './output.js';
import { folderOf, keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';

interface KeyOptions extends RealmOptions {
  readonly anyway?: boolean;
}

interface Place {
  readonly file: string;
  /** Whether there are folders for machines beside it. */
  readonly isKit: boolean;
  /** A realm of `coda up`: all its processes read this very file. */
  readonly isEmbedded: boolean;
}

export function addKeyCommand(realm: Command): void {
  const key = realm
    .command('key')
    .description('renew the realm key, which all servers, gateways and administrators have')
    .addHelpText(
      'after',
      `
For a key that somebody may have copied. Nobody is interrupted:
  1. coda realm key renew    writes the new key before the old one; copy it to every machine, in any order
  2. coda realm key status   who has not got it yet
  3. coda realm key end      leaves the new one alone, when all have it; copy that, too
A running server or gateway reads its realm.key again within two seconds, and believes every key in it. From the end on
who has the old one alone is refused, and links that it has opened are closed.

Examples:
  coda realm key renew --realm office
  coda realm key status --realm office
  coda realm key end --realm office`,
    );
  const copies = '"copy": [file]}';
  add(key, 'renew', 'begin: a new key beside the old one', `{"begun", ${copies}`, renew);
  add(key, 'status', 'who speaks with the old key still', '{"keys", "laggards": [text]}', status);
  add(key, 'end', 'the new key alone from now on', `{"ended", ${copies}`, end).option(
    '--anyway',
    'also while some have not got it: they are shut out until they have',
  );
}

function add(
  key: Command,
  name: string,
  description: string,
  json: string,
  run: (options: KeyOptions) => Promise<void>,
): Command {
  const subcommand = key
    .command(name)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', `print one JSON object: ${json}`)
    .addHelpText('after', `\nExamples:\n  coda realm key ${name} --realm office`);
  return subcommand.action(() => run(subcommand.optsWithGlobals<KeyOptions>()));
}

async function renew(options: KeyOptions): Promise<void> {
  const place = placeOf(options);
  const begun = await beginRenewal(place.file);
  const copy = await copied(place);
  print(options, { begun, copy }, () => {
    const said = begun
      ? 'The new key stands before the old one.'
      : 'A renewal is under way already: its new key stays.';
    return [said, ...copyLines(place, copy), `When all have it: ${command('end', options)}`].join('\n');
  });
}

async function status(options: KeyOptions): Promise<void> {
  const keys = keysIn(placeOf(options).file);
  const laggards = await laggardsOf(options, keys);
  print(options, { keys: keys.length, laggards }, () => {
    if (keys.length === 1 && laggards.length === 0)
      return 'There is one realm key. Everybody who is linked has it.';
    if (laggards.length > 0) return laggards.join('\n');
    return `All servers, and all who are linked to them, speak with the new key. Then: ${command('end', options)}`;
  });
}

async function end(options: KeyOptions): Promise<void> {
  const place = placeOf(options);
  const keys = keysIn(place.file);
  if (keys.length > 1) {
    if (options.anyway !== true) await mustAllHaveIt(options, keys);
    await endRenewal(place.file);
  }
  const ended = keys.length > 1;
  const copy = await copied(place);
  print(options, { ended, copy }, () => {
    const said = ended
      ? place.isEmbedded
        ? 'The old key counts no more.'
        : 'The old key counts no more where this is copied to.'
      : 'There is one key already.';
    return [said, ...copyLines(place, copy)].join('\n');
  });
}

/** @throws OperatorError refused */
async function mustAllHaveIt(options: KeyOptions, keys: readonly Uint8Array[]): Promise<void> {
  const laggards = await laggardsOf(options, keys);
  if (laggards.length === 0) return;
  const list = laggards.map((each) => `  - ${each}`).join('\n');
  const how = `Copy realm.key to them and say this again; or --anyway, which shuts them out until they have it.`;
  throw new OperatorError('refused', `Not all have the new key:\n${list}\n${how}`);
}

function laggardsOf(options: KeyOptions, [key]: readonly Uint8Array[]): Promise<readonly string[]> {
  return withRealm(options, (administration) =>
    keyLaggards(administration, keyMark(key ?? new Uint8Array())),
  );
}

/** @throws OperatorError usage */
function placeOf(options: KeyOptions): Place {
  const { realm, key } = options;
  if (realm !== undefined && existsSync(join(realm, 'realm.json'))) {
    return { file: join(realm, 'realm.key'), isKit: true, isEmbedded: false };
  }
  if (realm !== undefined && key === undefined)
    throw new OperatorError('usage', 'Give both --realm and --key.');
  return {
    file: key ?? realmPaths(folderOf(options) ?? '').realmKey,
    isKit: false,
    isEmbedded: key === undefined,
  };
}

async function copied(place: Place): Promise<readonly string[]> {
  const folder = dirname(place.file);
  return place.isKit ? (await copyToMembers(place.file)).map((name) => join(folder, name, 'realm.key')) : [];
}

function copyLines({ file, isKit, isEmbedded }: Place, copies: readonly string[]): string[] {
  if (isEmbedded) return [];
  if (!isKit) return [`All machines of the realm need this file: ${file}`];
  const { servers } = readRealmDocument(join(dirname(file), 'realm.json'));
  return copies.map((copy) => {
    const name = dirname(copy).split(/[\\/]/).at(-1) ?? '';
    return `  scp ${shellQuoted(copy)} ${hostOf(servers, name)}:/etc/coda/${name}/realm.key`;
  });
}

/** Where a server is says the document; a gateway's machine is the administrator's to know. */
function hostOf(servers: RealmDocument['servers'], name: string): string {
  const address = servers.find((server) => server.name === name)?.address;
  return address === undefined ? 'MACHINE' : new URL(address).hostname;
}

function command(step: string, { realm, key, data }: KeyOptions): string {
  const given = { realm, key, data };
  const words = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, shellQuoted(value)],
  );
  return [commandName(), 'realm key', step, ...words].join(' ');
}
