/** `coda realm login-key`: what the servers sign logins with, renewed: every login ends. */
import type { Command } from 'commander';
import { print } from './output.js';
import { keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';

export function addLoginKeyCommand(realm: Command): void {
  const key = realm.command('login-key').description('renew what the servers sign logins with');
  key
    .command('renew')
    .description('another key: every login that there is ends')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', 'print one JSON object: {"renewed"}')
    .addHelpText(
      'after',
      `
For people.json, or the disk of a server, that somebody may have copied: with the key anybody makes a login of anybody.
The server that publishes makes another one and tells the others; no file is to be copied. Who works at a gateway is
logged in again by the next request of his program, without being asked; what somebody who is away has not sent yet
waits until he opens the share again. Passwords stay: for verifiers that were copied, too, set new ones (coda user
passwd).

Examples:
  coda realm login-key renew --realm office`,
    )
    .action(async (_options: unknown, command: Command) => {
      await renew(command.optsWithGlobals<RealmOptions>());
    });
}

async function renew(options: RealmOptions): Promise<void> {
  const renewed = await withRealm(options, (administration) =>
    administration.changePeople({ change: 'renew-login-key' }),
  );
  print(
    options,
    { renewed },
    () => 'Logins are signed with another key. Every login that there was is over.',
  );
}
