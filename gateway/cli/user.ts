/** `coda user`: who may use the share. Running gateways see a change within seconds. */
import type { Command } from 'commander';
import { newPassword } from '../realm/realm-folder.js';
import { print } from './output.js';
import { readPassword } from './password-file.js';
import { keyOption, realmOption } from './realm-choice.js';
import { dataOption } from './status.js';
import { withUsers, type UserOptions, type UserPlace } from './user-place.js';

interface Options extends UserOptions {
  readonly passwordFile?: string;
}

export function addUserCommand(program: Command): void {
  const user = program
    .command('user')
    .description('add, list, disable or remove users of the share, set passwords')
    .addHelpText(
      'after',
      `
Without --password-file a password is made and printed. Running gateways see a change within seconds. Who is disabled
does not get in, and what he has not sent yet waits; who is removed stands in access lists and groups still.

Examples:
  coda user add alice
  coda user passwd alice --password-file secret.txt
  coda user list --json
  coda user add alice --realm office
  coda user disable alice --realm office
  coda user add alice --users /etc/coda/users`,
    );
  addSubcommand(
    user,
    'list',
    'list the users',
    'print one JSON object: {"users": [name], "disabled": [name]}',
    list,
  );
  const made = 'print one JSON object: {"user", "password"}, the password only if it was made here';
  const plain = 'print one JSON object: {"user"}';
  const add = given('added', (place, name, password) => place.add(name, password));
  addSubcommand(user, 'add <name>', 'add a user', made, add, true);
  const set = given('has a new password', (place, name, password) => place.setPassword(name, password));
  addSubcommand(user, 'passwd <name>', 'set the password of a user', made, set, true).alias('password');
  const disable = done('is disabled', (place, name) => place.setDisabled(name, true));
  addSubcommand(user, 'disable <name>', 'let a user in no more, until he is enabled', plain, disable);
  const enable = done('may log in again', (place, name) => place.setDisabled(name, false));
  addSubcommand(user, 'enable <name>', 'let a user in again who was disabled', plain, enable);
  const remove = done('is removed', (place, name) => place.remove(name));
  addSubcommand(user, 'remove <name>', 'remove a user', plain, remove);
}

type Run = (options: Options, name: string) => Promise<void>;

function addSubcommand(
  user: Command,
  usage: string,
  description: string,
  json: string,
  run: Run,
  takesPassword = false,
): Command {
  const subcommand = user
    .command(usage)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--users <file>', 'the "users" file of a gateway, instead of those of a realm')
    .option('--json', json)
    .addHelpText('after', `\nExamples:\n  coda user ${usage.replace('<name>', 'alice')}`);
  if (takesPassword) subcommand.option('--password-file <file>', 'holds the password (default: one is made)');
  return subcommand.action(async (...parts: unknown[]) => {
    const name = typeof parts[0] === 'string' ? parts[0] : '';
    await run(subcommand.optsWithGlobals<Options>(), name);
  });
}

async function list(options: Options): Promise<void> {
  const users = await withUsers(options, (place) => place.list());
  const disabled = users.filter((user) => user.disabled).map(({ name }) => name);
  print(options, { users: users.map(({ name }) => name), disabled }, () =>
    users.map((user) => (user.disabled ? `${user.name} (disabled)` : user.name)).join('\n'),
  );
}

function done(what: string, work: (place: UserPlace, name: string) => Promise<void>): Run {
  return async (options, user) => {
    await withUsers(options, (place) => work(place, user));
    print(options, { user }, () => `${user} ${what}`);
  };
}

function given(what: string, work: (place: UserPlace, name: string, password: string) => Promise<void>): Run {
  return async (options, user) => {
    const { passwordFile } = options;
    const isMade = passwordFile === undefined;
    const password = isMade ? newPassword() : readPassword(passwordFile);
    await withUsers(options, (place) => work(place, user, password));
    print(options, { user, ...(isMade && { password }) }, () =>
      isMade ? `${user} ${what}; the password is ${password}` : `${user} ${what}`,
    );
  };
}
