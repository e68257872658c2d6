/** The version of the people document in the realm document, so that who follows the one hears of the other. Pure. */
import type { RealmDocument } from '../interface/index.js';
import { next } from './document-step.js';

/** `document` saying that the servers keep the people, of this version; the very document when it says so. */
export function keeping(document: RealmDocument, version: number): RealmDocument {
  return document.people === undefined ? next(document, { people: { version } }) : document;
}

/** `document` saying that the people are of `version`; the very document when it says so, or keeps no people. */
export function announced(document: RealmDocument, version: number): RealmDocument {
  const { people } = document;
  if (people === undefined || people.version >= version) return document;
  return next(document, { people: { ...people, version } });
}
