/** `coda realm people`: the users of gateways become users of the realm, whom its servers keep. */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import type { UserVerifier } from '../../vice/interface/index.js';
import { readUsers } from '../access/users-file.js';
import type { Administration } from '../administration/administration.js';
import { OperatorError } from '../config/operator-error.js';
import { readNamed } from '../config/config-file.js';
import { mergedUsers, type UsersOf } from '../setup/merged-users.js';
import { print } from './output.js';
import { realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { countText } from './words.js';

interface PeopleOptions extends RealmOptions {
  readonly from: readonly string[];
  readonly first?: string;
}

export function addPeopleCommand(realm: Command): void {
  const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  realm
    .command('people')
    .description('have the servers keep the users that gateways have kept each for itself')
    .option(...realmOption)
    .option('--from <file>', 'the "users" file of a gateway; once for each', several, [])
    .option('--first <file>', 'one of them: of a name that is in several, its password counts')
    .option('--json', 'print one JSON object: {"users": [name], "changed"}')
    .addHelpText(
      'after',
      `
For a realm whose document has no "people". All users get in at every gateway from then on, with the passwords that they
have; nobody is interrupted, and gateways need no new configuration. What waits in a gateway to be sent is sent when its
author opens the share the next time. Said again, also after it was cut short, it does what is left to do.
Copy the files of all gateways to one place first. They count no more afterwards: coda user add --realm.

Examples:
  coda realm people --from g1/users --realm office
  coda realm people --from g1/users --from g2/users --first g1/users --realm office`,
    )
    .action(async (_options: unknown, command: Command) => {
      await people(command.optsWithGlobals<PeopleOptions>());
    });
}

async function people(options: PeopleOptions): Promise<void> {
  const users = mergedUsers(await filesOf(options), options.first && resolve(options.first));
  const changed = await withRealm(options, async (administration) => {
    await mustBeSafe(administration);
    return administration.keepPeople(users);
  });
  const names = users.map(({ name }) => name);
  print(options, { users: names, changed }, () =>
    changed
      ? `The servers keep ${countText(names.length, 'user')} from now on: ${names.join(', ')}`
      : 'The servers keep them already.',
  );
}

/** @throws OperatorError usage, Failure damaged */
async function filesOf({ from, realm }: PeopleOptions): Promise<UsersOf[]> {
  if (from.length === 0) throw new OperatorError('usage', 'Give --from FILE, the "users" of a gateway.');
  if (realm === undefined) {
    const why =
      'In a realm of `coda up` all gateways have the same users already, and its servers no certificates';
    throw new OperatorError('usage', `${why}: this is for a realm of several machines. Give --realm DIR.`);
  }
  const files: UsersOf[] = [];
  for (const file of from) {
    readNamed(file);
    const stored = [...(await readUsers(file)).values()];
    const users = stored.map(({ name, hash }): UserVerifier => ({ name, verifier: hash }));
    files.push({ file: resolve(file), users });
  }
  return files;
}

/** Without certificates a gateway could ask for the people, and what signs their logins, as if it were a server. */
async function mustBeSafe(administration: Administration): Promise<void> {
  const { servers } = await administration.document();
  const open = servers.filter(({ address }) => !address.startsWith('wss:')).map(({ name }) => name);
  if (open.length === 0) return;
  const why = `${open.join(', ')} ${open.length === 1 ? 'has' : 'have'} no certificate ("realmTls")`;
  const how = 'Only where all servers have one they can keep the people. Issue certificates first';
  throw new OperatorError('refused', `${why}. ${how}: coda realm certificate.`);
}
