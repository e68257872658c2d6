/** `coda acl`: who may do what in a folder (Coda: cfs listacl, cfs setacl). */
import type { Command } from 'commander';
import { parseRights, rightsText } from '../../venus/interface.js';
import { OperatorError } from '../config/operator-error.js';
import { accessSchema, type AccessOf } from '../realm/access-orders.js';
import { callControlDoor } from '../realm/control-door.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { print, table } from './output.js';
import { dataOption } from './status.js';
import { shown } from './words.js';

interface AclOptions extends GatewayOptions {
  readonly user: string;
  readonly negative?: boolean;
  readonly clear?: boolean;
}

type List = NonNullable<AccessOf['lists'][number]>;

const rightsHelp = `
RIGHTS are letters: r read files, l list, i put in, d take out, w change, k lock, a set this list;
or a word: all, write (all but a), read (rl), none. WHO is a user or a group; everybody who may log in is in
System:AnyUser. A list holds for all folders below that have none of their own.`;

export function addAclCommand(program: Command): void {
  const acl = program.command('acl').description('who may do what in a folder');
  acl
    .command('get <path>')
    .description('show the list that holds in a folder')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${rightsHelp}

JSON: {"gateway", "path", "rights", "own", "lists": [{"positive": {WHO: RIGHTS}, "negative": {...}}]}
"rights" are those of --user; "own" says whether the folder has the list itself. More than one list of one
folder: they were set apart, and the stricter holds until \`coda repair\` or \`coda acl set\` decides.

Examples:
  coda acl get /
  coda acl get /docs --user bob`,
    )
    .action(async (path: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<AclOptions>();
      show(options, path, await ask(options, '/access/get', { path }));
    });
  acl
    .command('set <path> <who-and-rights...>')
    .description('give a folder a list of its own, or change what is in it')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--negative', 'the rights are taken from WHO, whatever else grants them')
    .option('--clear', 'begin with an empty list, not with the one that holds now')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${rightsHelp}
\`none\` takes WHO out of the list. It works while servers are away, too: the list waits like any other change.

Examples:
  coda acl set /docs bob rl
  coda acl set /accounts System:AnyUser none ann all
  coda acl set --negative /docs eve all`,
    )
    .action(async (path: string, pairs: string[], _options: unknown, command: Command) => {
      await set(command.optsWithGlobals<AclOptions>(), path, pairs);
    });
  acl
    .command('inherit <path>')
    .description("take a folder's own list away: that of the folder above holds")
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--json', 'print one JSON object')
    .action(async (path: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<AclOptions>();
      show(options, path, await setTo(options, path, null));
    });
}

async function set(options: AclOptions, path: string, pairs: readonly string[]): Promise<void> {
  if (pairs.length % 2 === 1) {
    const given = pairs.length === 1 ? 'rights' : `rights for ${pairs.at(-1) ?? ''}`;
    throw new OperatorError('usage', `Give WHO and RIGHTS in pairs; the ${given} are missing.`);
  }
  const list = options.clear === true ? empty : listNow(await ask(options, '/access/get', { path }), path);
  const side = options.negative === true ? 'negative' : 'positive';
  const entries = new Map(Object.entries(list[side]));
  for (let at = 0; at < pairs.length; at += 2) {
    const [who = '', text = ''] = pairs.slice(at, at + 2);
    const rights = parseRights(text);
    if (rights === undefined) {
      throw new OperatorError(
        'usage',
        `"${text}" are no rights. Use letters of rlidwka, or all, write, read, none.`,
      );
    }
    if (rights === 0) entries.delete(who);
    else entries.set(who, rights);
  }
  const changed = { ...list, [side]: Object.fromEntries(entries) };
  show(options, path, await setTo(options, path, changed));
}

/** @throws OperatorError refused: also when the user may not, with who may. */
async function setTo(options: AclOptions, path: string, list: List | null): Promise<AccessOf> {
  try {
    return await ask(options, '/access/set', { path, list });
  } catch (error) {
    if (!(error instanceof OperatorError && error.kind === 'refused')) throw error;
    const access = await ask(options, '/access/get', { path });
    if (access.rights.includes('a')) throw error;
    throw new OperatorError('refused', mayNot(options.user, path, access), { cause: error });
  }
}

/** The system's name for who types the command is often nobody's in the share: whose would do is said. */
function mayNot(user: string, path: string, { rights, lists }: AccessOf): string {
  const administer = parseRights('a') ?? 0;
  const grants = lists.flatMap((list) => Object.entries(list?.positive ?? {}));
  const able = new Set(grants.flatMap(([who, has]) => ((has & administer) === 0 ? [] : [shown(who)])));
  const whose = [...able.add('System:Administrators')].slice(0, 5).join(', ');
  return `${shown(user)} may not set the list of ${shown(path)} (has there: ${rights === '' ? 'nothing' : rights}).
Whoever has the right a may: ${whose}. Say in whose name: --user NAME.`;
}

const empty: List = { positive: {}, negative: {} };
/** Where nobody has set a list. */
const usual: List = { positive: { 'System:AnyUser': parseRights('write') ?? 0 }, negative: {} };

function listNow({ lists }: AccessOf, path: string): List {
  const [first = usual, ...others] = lists;
  if (others.length === 0) return first ?? usual;
  const advice = 'Decide with `coda repair`, or begin anew with --clear.';
  throw new OperatorError('refused', `${path} has several lists that were set apart. ${advice}`);
}

async function ask(options: AclOptions, route: string, order: object): Promise<AccessOf> {
  const gateway = await chooseGateway(options);
  const reply = await callControlDoor(gateway.folder, 'POST', route, { user: options.user, ...order });
  return accessSchema.parse(reply);
}

function show(options: AclOptions, path: string, access: AccessOf): void {
  const { rights, own } = access;
  const lists = access.lists.map((list) => (list === null ? null : textual(list)));
  print(options, { path, rights, own, lists }, () => accessText(options.user, path, access));
}

function textual({ positive, negative }: List): object {
  const texts = (entries: Readonly<Record<string, number>>): object =>
    Object.fromEntries(Object.entries(entries).map(([who, rights]) => [who, rightsText(rights)]));
  return { positive: texts(positive), negative: texts(negative) };
}

function accessText(user: string, path: string, { rights, own, lists }: AccessOf): string {
  const head = `${shown(user)} may in ${shown(path)}: ${rights === '' ? 'nothing' : rights}`;
  if (lists.length === 0)
    return `${head}\nno list is set: everybody has ${rightsText(usual.positive['System:AnyUser'] ?? 0)}`;
  const where = own ? 'its own list' : 'by the list of a folder above';
  const texts = lists.map((list) => (list === null ? 'no list of its own' : listText(list)));
  return [head, where, texts.join('\nand, set apart (the stricter holds):\n')].join('\n');
}

export function listText({ positive, negative }: List): string {
  const rows = (entries: Readonly<Record<string, number>>, sign: string): string[][] =>
    Object.entries(entries).map(([who, rights]) => [`  ${shown(who)}`, `${sign}${rightsText(rights)}`]);
  const all = [...rows(positive, ''), ...rows(negative, 'not ')];
  return all.length === 0 ? '  nobody' : table(all);
}
