/** `coda user`: who may use the share. Running gateways see a change within seconds. */
import type { Command } from 'commander';
import { openUsers } from '../access/users.js';
import { commandName } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { newPassword, readRealm, realmPaths, writeLogin, type EmbeddedRealm } from '../realm/realm-folder.js';
import { print } from './output.js';
import { readPassword } from './password-file.js';
import { dataOption, type FolderOptions } from './status.js';

interface UserOptions extends FolderOptions {
  readonly users?: string;
  readonly passwordFile?: string;
}

/** Where the users are, and the realm that keeps one of the passwords, if it is one of `coda up`. */
interface Place {
  readonly file: string;
  readonly realm: EmbeddedRealm | undefined;
}

export function addUserCommand(program: Command): void {
  const user = program
    .command('user')
    .description('add, list or remove users of the share, set passwords')
    .addHelpText(
      'after',
      `
Without --password-file a password is made and printed. Running gateways see a change within seconds.

Examples:
  coda user add alice
  coda user password alice --password-file secret.txt
  coda user list --json
  coda user add alice --users /etc/coda/users`,
    );
  addSubcommand(user, 'list', 'list the users', 'print one JSON object: {"users": [name]}', list);
  const made = 'print one JSON object: {"user", "password"}, the password only if it was made here';
  addSubcommand(user, 'add <name>', 'add a user', made, add, true);
  addSubcommand(user, 'password <name>', 'set the password of a user', made, password, true);
  addSubcommand(user, 'remove <name>', 'remove a user', 'print one JSON object: {"user"}', remove);
}

function addSubcommand(
  user: Command,
  usage: string,
  description: string,
  json: string,
  run: (options: UserOptions, name: string) => Promise<void>,
  takesPassword = false,
): void {
  const subcommand = user
    .command(usage)
    .description(description)
    .option(...dataOption)
    .option('--users <file>', 'the "users" file of a gateway, instead of those of a realm')
    .option('--json', json)
    .addHelpText('after', `\nExamples:\n  coda user ${usage.replace('<name>', 'alice')}`);
  if (takesPassword) subcommand.option('--password-file <file>', 'holds the password (default: one is made)');
  subcommand.action(async (...parts: unknown[]) => {
    const name = typeof parts[0] === 'string' ? parts[0] : '';
    await run(subcommand.optsWithGlobals<UserOptions>(), name);
  });
}

async function list(options: UserOptions): Promise<void> {
  const { file } = await placeOf(options);
  const names = (await openUsers(file)).list();
  print(options, { users: names }, () => names.join('\n'));
}

async function add(options: UserOptions, name: string): Promise<void> {
  const { file } = await placeOf(options);
  const secret = chosenPassword(options);
  await (await openUsers(file)).add(name, secret.password);
  printSecret(options, name, secret, 'added');
}

async function password(options: UserOptions, name: string): Promise<void> {
  const { file, realm } = await placeOf(options);
  const secret = chosenPassword(options);
  await (await openUsers(file)).setPassword(name, secret.password);
  if (realm?.login?.user === name) await writeLogin(realm.folder, { user: name, password: secret.password });
  printSecret(options, name, secret, 'has a new password');
}

async function remove(options: UserOptions, name: string): Promise<void> {
  const { file, realm } = await placeOf(options);
  if (realm?.login?.user === name) {
    const maker = `${commandName()} up`;
    throw new OperatorError('refused', `"${name}" is the user that ${maker} makes and prints. It stays.`);
  }
  await (await openUsers(file)).remove(name);
  print(options, { user: name }, () => `${name} is removed`);
}

async function placeOf(options: UserOptions): Promise<Place> {
  if (options.users !== undefined) {
    if (options.data === undefined) return { file: options.users, realm: undefined };
    throw new OperatorError('usage', 'Give --data or --users, not both.');
  }
  const folder = options.data ?? defaultDataFolder();
  const realm = await readRealm(folder);
  if (realm !== undefined) return { file: realmPaths(folder).users, realm };
  const advice = `Make one with ${commandName()} up, or name the users' file of a gateway with --users FILE.`;
  throw new OperatorError('refused', `There is no realm in ${folder}. ${advice}`);
}

interface Secret {
  readonly password: string;
  readonly made: boolean;
}

function chosenPassword({ passwordFile }: UserOptions): Secret {
  if (passwordFile !== undefined) return { password: readPassword(passwordFile), made: false };
  return { password: newPassword(), made: true };
}

function printSecret(options: UserOptions, user: string, { password, made }: Secret, what: string): void {
  print(options, { user, ...(made && { password }) }, () =>
    made ? `${user} ${what}; the password is ${password}` : `${user} ${what}`,
  );
}
