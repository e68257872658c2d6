/** The Vice servers as a person sees them at a glance, and how far one that came back has caught up. Pure. */
import type { ServerStatus } from '../realm/status.js';
import { table } from './output.js';
import { countText, durationText } from './words.js';

/** What a person must know of damage that could not be healed. */
export function damageLines(servers: readonly ServerStatus[], coda: string): string[] {
  return servers.flatMap(({ name, scrub }) => {
    if (scrub === null || scrub.open === 0) return [];
    return [
      `${name} holds ${countText(scrub.open, 'thing')} damaged that no server has whole: ${coda} scrub status`,
    ];
  });
}

export function serversText(servers: readonly ServerStatus[]): string {
  const rows = servers.map(({ name, state, pid, url }) => [name, state, String(pid ?? '-'), url]);
  return table([['SERVER', 'STATE', 'PID', 'ADDRESS'], ...rows]);
}

/** "s3 catches up with s1: 1,200 objects, 60 % after 12 s, about 8 s left"; `now` in milliseconds since 1970. */
export function catchUpLines(servers: readonly ServerStatus[], now: number): string[] {
  return servers.flatMap(({ name, catchUps }) =>
    catchUps.map(({ peer, since, done, all, objects }) => {
      const passed = now - since;
      const share = all === 0 ? 0 : Math.min(1, done / all);
      const left = share === 0 ? '' : `, about ${durationText((passed * (1 - share)) / share)} left`;
      const soFar = `${countText(objects, 'object')}, ${Math.floor(share * 100)} % after ${durationText(passed)}`;
      return `${name} catches up with ${peer}: ${soFar}${left}`;
    }),
  );
}
