/**
 * Loaded before anything else (`node --import`): plants the bug that SIM_PLANTED names into the files that have it,
 * while they are loaded.
 */
import { register } from 'node:module';
import { plantedBug } from './all-bugs.js';

const name = process.env['SIM_PLANTED'];
if (name !== undefined) {
  const { edits } = plantedBug(name);
  const hooks = `
    let edits;
    export function initialize(data) { edits = data; }
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      const own = edits.filter(({ file }) => url.endsWith('/dist/' + file));
      if (own.length === 0) return loaded;
      let source = Buffer.from(loaded.source).toString();
      for (const { file, find, replace } of own) {
        if (source.split(find).length !== 2) throw new Error(file + ': the planted bug does not fit any more');
        source = source.replace(find, () => replace);
      }
      return { ...loaded, source };
    }`;
  register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: edits });
}
