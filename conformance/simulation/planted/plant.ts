/**
 * Loaded before anything else (`node --import`): plants the bug that SIM_PLANTED names into the file that has it, while
 * that is loaded.
 */
import { register } from 'node:module';
import { plantedBug } from './all-bugs.js';

const name = process.env['SIM_PLANTED'];
if (name !== undefined) {
  const { file, find, replace } = plantedBug(name);
  const hooks = `
    let edit;
    export function initialize(data) { edit = data; }
    export async function load(url, context, next) {
      const loaded = await next(url, context);
      if (!url.endsWith('/dist/' + edit.file)) return loaded;
      const source = Buffer.from(loaded.source).toString();
      if (source.split(edit.find).length !== 2) throw new Error(edit.file + ': the planted bug does not fit any more');
      return { ...loaded, source: source.replace(edit.find, () => edit.replace) };
    }`;
  register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: { file, find, replace } });
}
