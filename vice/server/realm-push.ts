/** Tells a session which realm document this server has: at its opening, and whenever that changes. */
import { calls, type Push, type RealmDocument } from '../interface/index.js';
import type { Session } from '../seam/network.js';

export function pushRealm(session: Session, realm: RealmDocument): void {
  const roles: readonly string[] = calls.locate.roles;
  if (roles.includes(session.peer.role)) {
    session.push({ push: 'realm', version: realm.version } satisfies Push);
  }
}
