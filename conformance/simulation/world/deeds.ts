/** What users do to the same few names: alone, at the same moment, and without knowing of each other. */
import type { Draft } from './draft.js';
import type { Deed } from './scenario.js';

/** Beyond 64 KiB a body travels ahead of its close; that costs, so it is seldom. */
const sizes: readonly number[] = [0, 12, 40, 300, 300, 300, 300, 300, 300, 300, 300, 70_000];

/** Any deed of one session. */
export function chatter(draft: Draft, by = draft.pick(draft.sessions)): void {
  const dice = draft.fraction();
  const path = draft.file();
  const any = draft.chance(0.25) ? draft.directory() : path;
  if (dice < 0.3) return draft.deed(put(draft, by, path));
  if (dice < 0.48) return draft.deed({ do: 'get', by, path });
  if (dice < 0.54) return draft.deed({ do: 'list', by, path: draft.directory() });
  if (dice < 0.6) return draft.deed({ do: 'mkdir', by, path: draft.name() });
  if (dice < 0.68) return draft.deed({ do: 'remove', by, path: any });
  if (dice < 0.79)
    return draft.deed({ do: 'rename', by, path: any, to: draft.chance(0.5) ? draft.file() : draft.name() });
  if (dice < 0.84) return draft.deed({ do: 'copy', by, path, to: draft.name() });
  if (dice < 0.93) return draft.deed(marking(draft, by, any));
  if (dice < 0.935) return draft.deed({ do: 'give-up', by, path, bytes: draft.pick([300, 70_000]) });
  if (dice < 0.945) return draft.deed({ do: 'symlink', by, path: draft.name(), target: 'a' });
  if (dice < 0.96) return draft.deed({ do: 'lock', by, path, token: draft.token(true) });
  if (dice < 0.97) return draft.deed({ do: 'unlock', by, token: draft.token(false) });
  const pick = draft.chance(0.4) ? 'all' : draft.fraction();
  draft.deed({ do: 'repair', by, path: any, pick });
}

export function put(draft: Draft, by: string, path: string): Deed {
  return { do: 'put', by, path, bytes: draft.pick(sizes) };
}

function marking(draft: Draft, by: string, path: string): Deed {
  const value = draft.number();
  const dice = draft.fraction();
  if (dice < 0.5) return { do: 'setprop', by, path, name: `{x}p${draft.below(3)}`, value: `<v>${value}</v>` };
  if (dice < 0.75) return { do: 'chmod', by, path, mode: draft.pick([0o600, 0o644, 0o755]) };
  return { do: 'utimes', by, path, time: 1_000_000_000_000 + value };
}

/** A change that its author is answered for: what a crash must not take. */
export function change(draft: Draft, by: string, ms: number): void {
  const dice = draft.fraction();
  const path = draft.file();
  if (dice < 0.5) draft.deed({ do: 'put', by, path, bytes: draft.pick([40, 300]) }, ms);
  else if (dice < 0.65) draft.deed({ do: 'mkdir', by, path: draft.name() }, ms);
  else if (dice < 0.75) draft.deed(marking(draft, by, path), ms);
  else if (dice < 0.85) draft.deed({ do: 'rename', by, path, to: draft.name() }, ms);
  else if (dice < 0.92) draft.deed({ do: 'lock', by, path, token: draft.token(true) }, ms);
  else draft.deed({ do: 'remove', by, path }, ms);
}

/** As programs save: contents, then what else there is to say about them. */
export function saves(draft: Draft, by: string): void {
  const path = draft.file();
  draft.deed({ do: 'put', by, path, bytes: draft.pick([40, 300]) }, 5);
  const count = 1 + draft.below(3);
  for (let index = 0; index < count; index += 1) draft.deed(marking(draft, by, path), 1);
  if (draft.chance(0.3)) draft.deed(put(draft, by, path), 1);
  if (draft.chance(0.2)) {
    const other = `${path}~`;
    draft.deed({ do: 'put', by, path: other, bytes: 40 }, 1);
    draft.deed({ do: 'rename', by, path: other, to: path }, 1);
  }
}

/** One user has several requests under way at one gateway, as a client with several connections has. */
export function burst(draft: Draft, by: string, path = draft.file()): void {
  const count = 2 + draft.below(5);
  for (let index = 0; index < count; index += 1) {
    const request = index === 0 ? by : `${by}#${index + 1}`;
    const dice = draft.fraction();
    // Each says something else, so that it can be told what became of it.
    if (dice < 0.4)
      draft.deed(
        { do: 'setprop', by: request, path, name: `{x}p${index}`, value: `<v>${draft.number()}</v>` },
        0,
      );
    else if (dice < 0.55) draft.deed({ do: 'chmod', by: request, path, mode: draft.pick([0o600, 0o755]) }, 0);
    else if (dice < 0.7) draft.deed({ do: 'put', by: request, path, bytes: 40 }, 0);
    else if (dice < 0.85) draft.deed({ do: 'put', by: request, path: `${path}${index}`, bytes: 40 }, 0);
    else chatter(draft, request);
  }
  draft.wait(draft.pick([0, 5, 30]));
}

/** Everybody does something to the same name at the same moment. */
export function race(draft: Draft): void {
  const path = draft.file();
  const target = draft.name();
  const count = 2 + draft.below(4);
  const together = draft.pick([0, 0, 1, 2]);
  const wanted = draft.pick(['put', 'put', 'mixed', 'mixed', 'new', 'move'] as const);
  for (let index = 0; index < count; index += 1) {
    const by = draft.pick(draft.sessions);
    if (wanted === 'put') draft.deed({ do: 'put', by, path, bytes: 40 }, together);
    else if (wanted === 'new')
      draft.deed(draft.chance(0.5) ? { do: 'mkdir', by, path: target } : put(draft, by, target), together);
    else if (wanted === 'move')
      draft.deed({ do: 'rename', by, path: draft.file(), to: draft.chance(0.6) ? target : path }, together);
    else
      draft.deed(
        draft.pick<Deed>([
          put(draft, by, path),
          { do: 'remove', by, path },
          { do: 'rename', by, path, to: target },
          { do: 'get', by, path },
          { do: 'copy', by, path, to: target },
          marking(draft, by, path),
        ]),
        together,
      );
  }
  draft.deed({ do: 'get', by: draft.pick(draft.sessions), path }, draft.pause());
}

/** Somebody has seen it, somebody changes it, and when everybody must have heard of it, all look. */
export function look(draft: Draft): void {
  const path = draft.file();
  for (const by of draft.sessions) if (draft.chance(0.6)) draft.deed({ do: 'get', by, path }, 5);
  const by = draft.pick(draft.sessions);
  const dice = draft.fraction();
  if (dice < 0.6) draft.deed({ do: 'put', by, path, bytes: 40 }, 1300);
  else if (dice < 0.75) draft.deed({ do: 'remove', by, path }, 1300);
  else if (dice < 0.9) draft.deed({ do: 'rename', by, path, to: draft.name() }, 1300);
  else draft.deed({ do: 'mkdir', by, path: draft.name() }, 1300);
  for (const reader of draft.sessions) {
    draft.deed({ do: 'get', by: reader, path }, 2);
    if (draft.chance(0.4)) draft.deed({ do: 'list', by: reader, path: draft.directory() }, 2);
  }
}

/** One file read again and again, while something is mended: nobody may see it go back. */
export function watch(draft: Draft, times: number, ms: number): void {
  const path = draft.file();
  for (let index = 0; index < times; index += 1)
    draft.deed(
      { do: 'get', by: draft.pick(draft.sessions), path: draft.chance(0.8) ? path : draft.file() },
      ms,
    );
}

/** A deed, whoever does it. */
type Unsigned = Deed extends infer Each ? (Each extends Deed ? Omit<Each, 'by'> : never) : never;

/** The same changed by two who do not hear of each other, in one of the ways that there are. */
export function apart(draft: Draft, one: string, other: string): void {
  if (draft.chance(0.1)) saves(draft, one);
  for (const [index, deeds] of draft.pick(waysApart(draft)).entries()) {
    for (const deed of deeds)
      draft.deed({ ...deed, by: index === 0 ? one : other } as Deed, draft.pick([1, 5, 20]));
  }
}

/** What the one does, then what the other does. */
function waysApart(draft: Draft): readonly (readonly [readonly Unsigned[], readonly Unsigned[]])[] {
  const path = draft.file();
  const [first, second] = draft.pair(['x', 'y', 'x/z', draft.directory()]);
  const name = draft.name();
  const write: Unsigned = { do: 'put', path, bytes: 40 };
  const make: Unsigned = { do: 'put', path: name, bytes: 40 };
  const remove: Unsigned = { do: 'remove', path };
  const folder: Unsigned = { do: 'mkdir', path: name };
  const move: Unsigned = { do: 'rename', path, to: name };
  const mark: Unsigned = { do: 'setprop', path, name: '{x}p0', value: `<v>${draft.number()}</v>` };
  const clear: Unsigned = { do: 'remove', path: first };
  const within: Unsigned = { do: 'put', path: `${first}/n`, bytes: 40 };
  return [
    [[write], [write]],
    [[write], [write, write]],
    [[write], [remove]],
    [[remove], [write]],
    [[mark], [remove]],
    [[mark], [write]],
    [[mark], [mark]],
    [[clear], [within]],
    [[within], [clear]],
    [[{ do: 'mkdir', path: `${first}/m` }], [clear]],
    [[folder], [folder]],
    [[folder], [make]],
    [[make], [make]],
    [[move], [{ do: 'rename', path, to: draft.name() }]],
    [[move], [{ do: 'rename', path: draft.file(), to: name }]],
    [[move], [make]],
    [[move], [write]],
    [[move], [remove]],
    [[{ do: 'rename', path: first, to: name }], [within]],
    // A circle.
    [[{ do: 'rename', path: first, to: `${second}/n` }], [{ do: 'rename', path: second, to: `${first}/n` }]],
    [[{ do: 'rename', path: first, to: `${second}/n` }], [{ do: 'rename', path: second, to: `${first}/n` }]],
  ];
}
