/** `coda group`: the groups of access lists, users and groups in them (Coda: pdbtool). */
import type { Command } from 'commander';
import type { Groups, Intention } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { print, table } from './output.js';
import { keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';
import { shown } from './words.js';

const changedHelp =
  'print one JSON object: {"group", "changed", "members"}; members is null when there is none';

export function addGroupCommand(program: Command): void {
  const group = program
    .command('group')
    .description('the groups of access lists: list, add and remove members')
    .addHelpText(
      'after',
      `
Members are users and groups. Who is in System:Administrators may set every access list; System:AnyUser is everybody.

Examples:
  coda group add staff ann bob
  coda group add System:Administrators ann --realm office
  coda acl set /accounts staff rl`,
    );
  order(
    group,
    'list',
    'list the groups',
    '{"groups": {GROUP: [MEMBER]}}',
    'coda group list',
    async (options) => {
      const groups = await groupsOf(options);
      print(options, { groups }, () =>
        table(Object.entries(groups).map(([name, members]) => [shown(name), members.map(shown).join(' ')])),
      );
    },
  );
  order(
    group,
    'members <group>',
    'who is in a group, also by other groups in it',
    '{"group", "members": [MEMBER], "users": [USER]}',
    'coda group members staff',
    async (options, name) => {
      const groups = await groupsOf(options);
      const members = Object.hasOwn(groups, name) ? groups[name] : undefined;
      if (members === undefined) throw unknownName('group', name, Object.keys(groups));
      const users = usersIn(groups, name);
      print(options, { group: name, members, users }, () => users.map(shown).join('\n'));
    },
  );
  const add: Run = (options, name, members) =>
    change(options, { change: 'add-members', group: name, members: [...members] });
  order(
    group,
    'add <group> [members...]',
    'put users and groups into a group; it is made if there is none',
    '{"group", "changed", "members": [MEMBER]}',
    'coda group add staff ann bob',
    add,
  );
  order(
    group,
    'remove <group> [members...]',
    'take members out of a group; without members: remove the group',
    changedHelp,
    'coda group remove staff bob',
    (options, name, members) =>
      members.length === 0
        ? change(options, { change: 'remove-group', group: name })
        : change(options, { change: 'remove-members', group: name, members: [...members] }),
  );
}

type Run = (options: RealmOptions, group: string, members: readonly string[]) => Promise<void>;

function order(
  parent: Command,
  usage: string,
  description: string,
  json: string,
  example: string,
  run: Run,
): void {
  const command = parent
    .command(usage)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', json.startsWith('print') ? json : `print one JSON object: ${json}`)
    .addHelpText('after', `\nExamples:\n  ${example}`);
  command.action(async (...parts: unknown[]) => {
    const [name, members] = parts;
    await run(
      command.optsWithGlobals<RealmOptions>(),
      typeof name === 'string' ? name : '',
      Array.isArray(members) ? members.map(String) : [],
    );
  });
}

async function groupsOf(options: RealmOptions): Promise<Groups> {
  const { groups = {} } = await withRealm(options, (administration) => administration.document());
  return groups;
}

async function change(
  options: RealmOptions,
  intention: Extract<Intention, { change: 'add-members' | 'remove-members' | 'remove-group' }>,
): Promise<void> {
  const { group } = intention;
  if (group === '') throw new OperatorError('usage', 'Name the group.');
  const report = await withRealm(options, async (administration) => {
    const changed = await administration.publish(intention);
    const groups = administration.known.groups ?? {};
    return { group, changed, members: Object.hasOwn(groups, group) ? (groups[group] ?? null) : null };
  });
  print(options, report, () =>
    report.members === null
      ? `there is no group ${shown(group)} any more`
      : `${shown(group)}: ${report.members.length === 0 ? 'nobody' : report.members.map(shown).join(' ')}`,
  );
}

/** All users in a group, however deep; what is no group is a user. */
function usersIn(groups: Groups, name: string): readonly string[] {
  const users = new Set<string>();
  const seen = new Set([name]);
  const reached = [name];
  for (let group = reached.pop(); group !== undefined; group = reached.pop()) {
    for (const member of Object.hasOwn(groups, group) ? (groups[group] ?? []) : []) {
      if (!Object.hasOwn(groups, member)) users.add(member);
      else if (!seen.has(member)) {
        seen.add(member);
        reached.push(member);
      }
    }
  }
  return [...users].sort();
}
