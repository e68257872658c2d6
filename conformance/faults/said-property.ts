/** What a person says about an object (PROPPATCH), and how it is kept. Pure. */
import { parseXml, standalone } from '../../gateway/webdav/xml-reader.js';

/** `name` in Clark notation, `value` a fragment of XML, as the simulator's people say it. */
export function propertyUpdate(name: string, value: string): string {
  return (
    '<?xml version="1.0" encoding="utf-8"?><D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>' +
    `${elementOf(name, value)}</D:prop></D:set></D:propertyupdate>`
  );
}

/** As servers keep it. */
export function fragmentOf(name: string, value: string): string {
  return standalone(parseXml(elementOf(name, value)));
}

function elementOf(name: string, value: string): string {
  const [, space = '', local = ''] = /^\{(.*)\}(.*)$/.exec(name) ?? [];
  return `<P:${local} xmlns:P="${space}">${value}</P:${local}>`;
}
